import { describe, expect, it } from 'vitest';
import { PersonalStore, type Area } from '$lib/state/storage';
import { localMessage } from './branch';
import {
	allOutgoing,
	dropOutgoing,
	hasArrived,
	isFresh,
	keepOutgoing,
	newOutgoing,
	newOutgoingChat,
	outgoingOf
} from './outgoing';

function area(): Area {
	const all = new Map<string, string>();
	return {
		getItem: (key) => all.get(key) ?? null,
		setItem: (key, value) => void all.set(key, value),
		removeItem: (key) => void all.delete(key),
		key: (at) => [...all.keys()][at] ?? null,
		get length() {
			return all.size;
		}
	};
}

const question = (id: string, parent_id: string | null, content: string) => ({
	...localMessage('c', { role: 'user', content, parent_id }),
	id
});

describe('outgoing messages', () => {
	it('are there after a reload until they arrived, each under its own keys', () => {
		const shared = area();
		const store = new PersonalStore('a', shared);
		const first = newOutgoingChat({ title: 'Hello', model: 'm' }, { content: 'Hello', model: 'm' }, []);
		keepOutgoing(first, store);
		const reloaded = new PersonalStore('a', shared);
		expect(outgoingOf(null, reloaded)).toEqual(first);
		keepOutgoing({ ...first, chatId: 'c1' }, reloaded);
		expect(outgoingOf(null, reloaded)).toBeNull();
		expect(outgoingOf('c1', reloaded)?.body).toEqual(first.body);
		expect(first.key).not.toBe(first.chat?.key);
		dropOutgoing(first.key, reloaded);
		expect(allOutgoing(new PersonalStore('a', shared))).toEqual([]);
	});

	it('belong to one person', () => {
		const shared = area();
		keepOutgoing(
			newOutgoing({ chatId: 'c1', body: { content: 'x' }, attachments: [] }),
			new PersonalStore('a', shared)
		);
		expect(allOutgoing(new PersonalStore('b', shared))).toEqual([]);
	});

	it('come oldest first, and what cannot be read is left aside', () => {
		const store = new PersonalStore('a', area());
		const entry = (at: number) =>
			newOutgoing({ chatId: 'c', body: { content: String(at) }, attachments: [], at });
		for (const at of [3, 1, 2]) keepOutgoing(entry(at), store);
		store.write('outgoing:broken', '{"key":');
		store.write('outgoing:other', '[]');
		expect(allOutgoing(store).map(({ at }) => at)).toEqual([1, 2, 3]);
	});

	it('do not send themselves long after', () => {
		const entry = newOutgoing({ body: { content: 'x' }, attachments: [], at: 1_000 });
		expect(isFresh(entry, 60_000)).toBe(true);
		expect(isFresh(entry, 3_600_000)).toBe(false);
	});

	it('have arrived when the branch holds the same words at the same place', () => {
		const branch = [question('1', null, 'go on'), question('3', '2', 'go on')];
		const sent = (parent_id: string | null | undefined, content = 'go on') =>
			newOutgoing({ body: { content, parent_id }, attachments: [] });
		expect(hasArrived(sent('2'), branch)).toBe(true);
		expect(hasArrived(sent('4'), branch)).toBe(false);
		expect(hasArrived(sent(null), branch)).toBe(true);
		expect(hasArrived(sent('2', 'other'), branch)).toBe(false);
		expect(hasArrived(sent(undefined), branch)).toBe(true);
		expect(hasArrived(sent(undefined), [])).toBe(false);
	});
});
