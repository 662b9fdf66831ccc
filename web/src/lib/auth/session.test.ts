import { describe, expect, it } from 'vitest';
import { ApiError } from '$lib/api/errors';
import type { TokenAnswer, User } from '$lib/api/types';
import { Session } from './session';

const user: User = { id: 'u', email: 'a@b.c', name: 'A', role: 'user', organisation_id: 'o', teams: [] };

function answer(token: string, expires_in = 300): TokenAnswer {
	return { access_token: token, token_type: 'Bearer', expires_in, user };
}

function unauthenticated() {
	return new ApiError({ status: 401, code: 'unauthenticated', title: 'x', detail: 'x' });
}

function setUp(refresh: () => Promise<TokenAnswer>) {
	const state = { now: 0, seen: [] as (User | null)[], locked: 0 };
	const session = new Session({
		refresh,
		exclusive: (task) => {
			state.locked += 1;
			return task();
		},
		now: () => state.now,
		changed: (next) => state.seen.push(next)
	});
	return { session, state };
}

describe('session', () => {
	it('gives no token before anyone signed in', async () => {
		const { session } = setUp(() => Promise.reject(unauthenticated()));
		expect(await session.token()).toBeNull();
	});

	it('gives the adopted token until shortly before its end, then renews', async () => {
		const { session, state } = setUp(() => Promise.resolve(answer('second')));
		session.adopt(answer('first', 300));
		state.now = 269_000;
		expect(await session.token()).toBe('first');
		state.now = 271_000;
		expect(await session.token()).toBe('second');
	});

	it('sends one refresh for callers at the same time, under the lock', async () => {
		let calls = 0;
		const { session, state } = setUp(async () => {
			calls += 1;
			await Promise.resolve();
			return answer(`t${calls}`);
		});
		const tokens = await Promise.all([session.renew(), session.renew(), session.renew()]);
		expect(tokens).toEqual(['t1', 't1', 't1']);
		expect(calls).toBe(1);
		expect(state.locked).toBe(1);
	});

	it('answers with the replacement when the refused token was already replaced', async () => {
		const { session } = setUp(() => Promise.reject(new Error('must not be asked')));
		session.adopt(answer('new'));
		expect(await session.renew('old')).toBe('new');
	});

	it('ends the session when the refresh is refused', async () => {
		const { session, state } = setUp(() => Promise.reject(unauthenticated()));
		session.adopt(answer('first'));
		expect(await session.renew('first')).toBeNull();
		expect(state.seen.at(-1)).toBeNull();
		expect(await session.token()).toBeNull();
	});

	it('keeps the session when the server is away', async () => {
		const { session, state } = setUp(() => Promise.reject(new TypeError('fetch failed')));
		session.adopt(answer('first'));
		await expect(session.renew()).rejects.toThrow('fetch failed');
		expect(state.seen.at(-1)).toEqual(user);
	});

	it('does not sign in again by a refresh that ends after sign-out', async () => {
		let finish: (value: TokenAnswer) => void = () => {};
		const { session } = setUp(() => new Promise((resolve) => (finish = resolve)));
		session.adopt(answer('first'));
		const pending = session.renew();
		session.clear();
		finish(answer('late'));
		expect(await pending).toBeNull();
		expect(await session.token()).toBeNull();
	});
});
