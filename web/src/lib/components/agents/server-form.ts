/** What is typed about an MCP server, what is sent of it, and who may use it in words. */
import type { McpAccess, McpApproval, McpServer, McpServerPatch, NewMcpServer } from '$lib/api/agents';
import type { Role, TeamInfo, UserDetail } from '$lib/api/types';
import { plural } from '$lib/format/numbers';

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

export const ROLE_WORDS: Record<Role, string> = {
	user: 'Users',
	'team-admin': 'Team administrators',
	'org-admin': 'Organisation administrators',
	finance: 'Finance',
	'admin-readonly': 'Administrators who only read',
	pending: 'Waiting to be let in',
	admin: 'Administrators'
};
/** Those that can run agents; administrators may use every server anyway. */
const CHOOSABLE: Role[] = ['user', 'team-admin', 'org-admin', 'finance'];

export const APPROVALS: { value: McpApproval; label: string; short: string; about: string }[] = [
	{
		value: 'unless_read_only',
		label: 'Ask before calls that may change something',
		short: 'Asks before changes',
		about: 'Tools that call themselves read-only run without asking.'
	},
	{
		value: 'always',
		label: 'Ask before every call',
		short: 'Asks before every call',
		about: 'Also before calls that only read.'
	},
	{
		value: 'never',
		label: 'Leave it to each agent',
		short: 'Each agent decides',
		about: 'Runs without asking unless the agent says otherwise. Tools that call themselves destructive still ask.'
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
		found.name =
			'Use lower case letters and digits, with single - or _ between them, such as tickets or tickets-eu.';
	if (!/^https?:\/\/\S+$/i.test(form.url.trim()))
		found.url = 'An address begins with https:// or http:// and has no spaces.';
	if (movesSecrets(form, server))
		found.token =
			'What is stored goes only to the address it was entered for. Enter a token, or forget what is stored.';
	const names = toolsOf(form.tools);
	if (names.length > TOOLS_MAX) found.tools = `${TOOLS_MAX} tools at most.`;
	else if (names.some((one) => one.length > 128))
		found.tools = 'The name of a tool has 128 characters at most.';
	if (!isSeconds(form.connectTimeout, 120)) found.connectTimeout = 'More than 0 and up to 120 seconds.';
	if (!isSeconds(form.callTimeout, 3_600)) found.callTimeout = 'More than 0 and up to 3,600 seconds.';
	if (form.people.length > PEOPLE_MAX)
		found.people = `${PEOPLE_MAX.toLocaleString('en')} people at most; choose a role or a team instead.`;
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
	if (roles.length + teams.length + people.length === 0) return ['Administrators only'];
	return [
		...roles.map((role) => ROLE_WORDS[role]),
		...named(
			teams,
			directory.teams.map(({ id, name }) => ({ id, name: `Team ${name}` })),
			'team',
			'teams'
		),
		...named(people, directory.users, 'person', 'people')
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

function named(ids: string[], known: { id: string; name: string }[], one: string, many: string): string[] {
	const names = known.filter(({ id }) => ids.includes(id)).map(({ name }) => name);
	const shown = ids.length > NAMED_MAX + 1 ? names.slice(0, NAMED_MAX) : names;
	const left = ids.length - shown.length;
	if (left === 0) return shown;
	return [
		...shown,
		shown.length === 0 ? plural(left, one, many) : `${left} more ${left === 1 ? one : many}`
	];
}

const toolsOf = (text: string): string[] => [...new Set(text.split(/[\s,]+/).filter(Boolean))].sort();
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const fold = (text: string): string => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();

function isSeconds(text: string, max: number): boolean {
	return /^\s*\d+(\.\d+)?\s*$/.test(text) && Number(text) > 0 && Number(text) <= max;
}
