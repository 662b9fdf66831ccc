/** What is typed about an MCP server, what is sent of it, and who may use it in words. */
import { t, type PlainKey } from '$lib/i18n';
import type { McpAccess, McpApproval, McpServer, McpServerPatch, NewMcpServer } from '$lib/api/agents';
import type { Role, TeamInfo, UserDetail } from '$lib/api/types';

/** Who there is to choose from. */
export interface Directory {
	users: UserDetail[];
	teams: TeamInfo[];
}

export interface ServerForm {
	name: string;
	url: string;
	/** Empty: none, or the stored one stays. */
	token: string;
	/** The stored headers are dropped. */
	forget: boolean;
	roles: Role[];
	teams: string[];
	people: string[];
	approval: McpApproval;
	/** Names, one a line; empty: all. */
	tools: string;
	connectTimeout: string;
	callTimeout: string;
}

export type Problems = Partial<
	Record<'name' | 'url' | 'token' | 'tools' | 'connectTimeout' | 'callTimeout' | 'people', string>
>;

export const ROLE_WORDS: Record<Role, PlainKey> = {
	user: 'common.users',
	'team-admin': 'agents.teamAdministrators',
	'org-admin': 'agents.organisationAdministrators',
	finance: 'agents.finance',
	'admin-readonly': 'agents.administratorsWhoOnlyRead',
	pending: 'agents.waitingToBeLet',
	admin: 'agents.administrators'
};
/** Those that can run agents; administrators may use every server anyway. */
const CHOOSABLE: Role[] = ['user', 'team-admin', 'org-admin', 'finance'];

export const APPROVALS: { value: McpApproval; label: PlainKey; short: PlainKey; about: PlainKey }[] = [
	{
		value: 'unless_read_only',
		label: 'agents.askBeforeCallsThat',
		short: 'agents.asksBeforeChanges',
		about: 'agents.toolsThatCallThemselves'
	},
	{
		value: 'always',
		label: 'agents.askBeforeEveryCall',
		short: 'agents.asksBeforeEveryCall',
		about: 'agents.alsoBeforeCallsThat'
	},
	{
		value: 'never',
		label: 'agents.leaveItToEach',
		short: 'agents.eachAgentDecides',
		about: 'agents.runsWithoutAskingUnless'
	}
];

const NAME = /^[a-z0-9]+(?:[_-][a-z0-9]+)*$/;
const NAME_MAX = 32;
const TOOLS_MAX = 128;
const PEOPLE_MAX = 1_000;
const NAMED_MAX = 2;

export function formOf(server: McpServer | null): ServerForm {
	return {
		name: server?.name ?? '',
		url: server?.url ?? '',
		token: '',
		forget: false,
		roles: server?.access.roles ?? [],
		teams: server?.access.team_ids ?? [],
		people: server?.access.user_ids ?? [],
		approval: server?.approval ?? 'unless_read_only',
		tools: (server?.tools ?? []).join('\n'),
		connectTimeout: String(server?.connect_timeout_s ?? 15),
		callTimeout: String(server?.call_timeout_s ?? 60)
	};
}

/** The roles to choose from, and those the server names already, so that none is lost unseen. */
export function rolesFor(server: McpServer | null): Role[] {
	const others = (server?.access.roles ?? []).filter((role) => !CHOOSABLE.includes(role));
	return [...CHOOSABLE, ...others];
}

export function problemsOf(form: ServerForm, server: McpServer | null): Problems {
	const found: Problems = {};
	const name = form.name.trim();
	if (server === null && (!NAME.test(name) || name.length > NAME_MAX))
		found.name = t('agents.useLowerCaseLetters');
	if (!/^https?:\/\/\S+$/i.test(form.url.trim())) found.url = t('agents.anAddressBeginsWith');
	if (movesSecrets(form, server)) found.token = t('agents.whatIsStoredGoes');
	const names = toolsOf(form.tools);
	if (names.length > TOOLS_MAX) found.tools = t('agents.maxToolsAtMost', { max: TOOLS_MAX });
	else if (names.some((one) => one.length > 128)) found.tools = t('agents.theNameOfA');
	if (!isSeconds(form.connectTimeout, 120)) found.connectTimeout = t('agents.moreThan0And');
	if (!isSeconds(form.callTimeout, 3_600)) found.callTimeout = t('agents.moreThan0AndUp');
	if (form.people.length > PEOPLE_MAX) found.people = t('agents.peopleAtMost', { max: PEOPLE_MAX });
	return found;
}

export function creationOf(form: ServerForm): NewMcpServer {
	const token = form.token.trim();
	return {
		name: form.name.trim(),
		...settingsOf(form),
		...(token === '' ? {} : { headers: bearer(token) })
	};
}

/** Only what differs: what another administrator changed meanwhile stays. */
export function changesOf(form: ServerForm, server: McpServer): McpServerPatch {
	const [now, was] = [settingsOf(form), settingsOf(formOf(server))];
	const differs = (name: keyof typeof now) => JSON.stringify(now[name]) !== JSON.stringify(was[name]);
	const changed = Object.fromEntries(
		Object.entries(now).filter(([name]) => differs(name as keyof typeof now))
	) as McpServerPatch;
	const token = form.token.trim();
	if (token !== '') changed.headers = bearer(token);
	else if (form.forget) changed.headers = {};
	return changed;
}

/** Who may use a server, in words; what is not in the directory is counted. */
export function whoMay(access: McpAccess, directory: Directory): string[] {
	const { roles, team_ids: teams, user_ids: people } = access;
	if (roles.length + teams.length + people.length === 0) return [t('agents.administratorsOnly')];
	return [
		...roles.map((role) => t(ROLE_WORDS[role])),
		...named(
			teams,
			directory.teams.map(({ id, name }) => ({ id, name: t('agents.teamName', { name }) })),
			'team'
		),
		...named(people, directory.users, 'person')
	];
}

/** Those whose name or address has every word that is typed; in the order of the list. */
export function matching(users: UserDetail[], query: string): UserDetail[] {
	const words = fold(query).split(/\s+/).filter(Boolean);
	return users.filter((user) => words.every((word) => fold(`${user.name} ${user.email}`).includes(word)));
}

function settingsOf(form: ServerForm) {
	const tools = toolsOf(form.tools);
	return {
		url: form.url.trim(),
		tools: tools.length === 0 ? null : tools,
		connect_timeout_s: Number(form.connectTimeout),
		call_timeout_s: Number(form.callTimeout),
		access: {
			roles: [...form.roles].sort(),
			team_ids: [...form.teams].sort(),
			user_ids: [...form.people].sort()
		},
		approval: form.approval
	};
}

function movesSecrets(form: ServerForm, server: McpServer | null): boolean {
	return (
		server !== null &&
		server.header_names.length > 0 &&
		form.url.trim() !== server.url &&
		form.token.trim() === '' &&
		!form.forget
	);
}

const COUNTED = { team: 'agents.countTeams', person: 'agents.countPeople' } as const;
const MORE = { team: 'agents.moreTeams', person: 'agents.morePeople' } as const;

function named(ids: string[], known: { id: string; name: string }[], kind: 'team' | 'person'): string[] {
	const names = known.filter(({ id }) => ids.includes(id)).map(({ name }) => name);
	const shown = ids.length > NAMED_MAX + 1 ? names.slice(0, NAMED_MAX) : names;
	const left = ids.length - shown.length;
	if (left === 0) return shown;
	return [
		...shown,
		shown.length === 0 ? t(COUNTED[kind], { count: left }) : t(MORE[kind], { count: left })
	];
}

const toolsOf = (text: string): string[] => [...new Set(text.split(/[\s,]+/).filter(Boolean))].sort();
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const fold = (text: string): string => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();

function isSeconds(text: string, max: number): boolean {
	return /^\s*\d+(\.\d+)?\s*$/.test(text) && Number(text) > 0 && Number(text) <= max;
}
