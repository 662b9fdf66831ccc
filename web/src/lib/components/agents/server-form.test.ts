import { describe, expect, it } from 'vitest';
import type { McpServer } from '$lib/api/agents';
import type { TeamInfo, UserDetail } from '$lib/api/types';
import { changesOf, creationOf, formOf, matching, problemsOf, rolesFor, whoMay } from './server-form';

const SERVER = {
	id: 's',
	name: 'tickets',
	source: 'api',
	transport: 'streamable_http',
	url: 'https://tickets.example.com/mcp',
	command: null,
	header_names: ['Authorization'],
	tools: ['search', 'close'],
	connect_timeout_s: 15,
	call_timeout_s: 60,
	enabled: true,
	access: { roles: ['user', 'pending'], team_ids: ['t2', 't1'], user_ids: ['u1'] },
	approval: 'always'
} as unknown as McpServer;
const user = (id: string, name: string) => ({ id, name, email: `${id}@example.com` }) as UserDetail;
const DIRECTORY = {
	users: [
		user('u1', 'Ada Moreau'),
		user('u2', 'Kenji Watanabe'),
		user('u3', 'Lucía Fernández'),
		user('u4', 'Tom Okafor')
	],
	teams: [{ id: 't1', name: 'Default' } as TeamInfo]
};
const NOBODY = { roles: [], team_ids: [], user_ids: [] };

describe('a new server', () => {
	it('is for administrators only and asks before changes, until somebody says otherwise', () => {
		const form = { ...formOf(null), name: ' tickets ', url: ' https://a.example/mcp ' };
		expect(problemsOf(form, null)).toEqual({});
		expect(creationOf(form)).toEqual({
			name: 'tickets',
			url: 'https://a.example/mcp',
			tools: null,
			connect_timeout_s: 15,
			call_timeout_s: 60,
			access: NOBODY,
			approval: 'unless_read_only'
		});
	});

	it('takes its token as a header, and its tools once each', () => {
		expect(
			creationOf({
				...formOf(null),
				name: 'a',
				url: 'https://a.example',
				token: ' abc ',
				tools: 'b, a\nb'
			})
		).toMatchObject({
			headers: { Authorization: 'Bearer abc' },
			tools: ['a', 'b']
		});
	});

	it.each(['Tickets', 'tickets!', 'a__b', '-a', 'a_', 'ä', '', 'a'.repeat(33)])(
		'says in words what is wrong with the name %j',
		(name) => {
			const problem = problemsOf({ ...formOf(null), name, url: 'https://a.example' }, null).name;
			expect(problem).toContain('lower case letters');
			expect(problem).not.toMatch(/[[\]^$*+?]/);
		}
	);

	it.each(['a', 'tickets-eu', 'a_1-b', 'a'.repeat(32)])('may be called %j', (name) => {
		expect(problemsOf({ ...formOf(null), name, url: 'https://a.example' }, null)).toEqual({});
	});

	it('says what is wrong with an address and with times', () => {
		const wrong = {
			...formOf(null),
			name: 'a',
			url: 'tickets.example.com',
			connectTimeout: '0',
			callTimeout: '3601'
		};
		expect(Object.keys(problemsOf(wrong, null))).toEqual(['url', 'connectTimeout', 'callTimeout']);
	});
});

describe('a server that is edited', () => {
	it('sends nothing when nothing differs', () => {
		expect(problemsOf(formOf(SERVER), SERVER)).toEqual({});
		expect(changesOf(formOf(SERVER), SERVER)).toEqual({});
	});

	it('sends who may use it as a whole, and only that', () => {
		expect(changesOf({ ...formOf(SERVER), people: ['u2', 'u1'] }, SERVER)).toEqual({
			access: { roles: ['pending', 'user'], team_ids: ['t1', 't2'], user_ids: ['u1', 'u2'] }
		});
	});

	it('offers all tools again by an empty list', () => {
		expect(changesOf({ ...formOf(SERVER), tools: ' ' }, SERVER)).toEqual({ tools: null });
	});

	it('never sends a stored token to another address', () => {
		const moved = { ...formOf(SERVER), url: 'https://other.example/mcp' };
		expect(problemsOf(moved, SERVER).token).toContain('Enter a token, or forget');
		expect(problemsOf({ ...moved, token: 'new' }, SERVER)).toEqual({});
		expect(problemsOf({ ...moved, forget: true }, SERVER)).toEqual({});
		expect(problemsOf(moved, { ...SERVER, header_names: [] })).toEqual({});
		expect(changesOf({ ...moved, forget: true }, SERVER)).toEqual({
			url: 'https://other.example/mcp',
			headers: {}
		});
		expect(changesOf({ ...formOf(SERVER), token: 'new' }, SERVER)).toEqual({
			headers: { Authorization: 'Bearer new' }
		});
	});

	it('keeps a role it names that is not offered otherwise', () => {
		expect(rolesFor(null)).not.toContain('pending');
		expect(rolesFor(SERVER)).toContain('pending');
	});
});

describe('who may use it, in words', () => {
	it('says that nobody is named', () => {
		expect(whoMay(NOBODY, DIRECTORY)).toEqual(['Administrators only']);
	});

	it('names roles, teams and people', () => {
		expect(whoMay({ roles: ['user'], team_ids: ['t1'], user_ids: ['u2'] }, DIRECTORY)).toEqual([
			'Users',
			'Team Default',
			'Kenji Watanabe'
		]);
	});

	it('counts who is not known, and those beyond a few', () => {
		expect(whoMay({ ...NOBODY, team_ids: ['gone'], user_ids: ['gone', 'u1'] }, DIRECTORY)).toEqual([
			'1 team',
			'Ada Moreau',
			'1 more person'
		]);
		expect(whoMay({ ...NOBODY, user_ids: ['u1', 'u2', 'u3'] }, DIRECTORY)).toHaveLength(3);
		expect(whoMay({ ...NOBODY, user_ids: ['u1', 'u2', 'u3', 'u4'] }, DIRECTORY)).toEqual([
			'Ada Moreau',
			'Kenji Watanabe',
			'2 more people'
		]);
	});
});

describe('the search of people', () => {
	it('finds by name and address, without accents and in any order', () => {
		expect(matching(DIRECTORY.users, 'fernandez LUCIA').map(({ id }) => id)).toEqual(['u3']);
		expect(matching(DIRECTORY.users, 'u4@').map(({ id }) => id)).toEqual(['u4']);
		expect(matching(DIRECTORY.users, ' ')).toHaveLength(4);
		expect(matching(DIRECTORY.users, 'nobody')).toEqual([]);
	});
});
