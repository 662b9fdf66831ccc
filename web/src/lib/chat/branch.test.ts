import { describe, expect, it } from 'vitest';
import { before, isLocal, lastOf, localMessage, mergeEnd, siblings } from './branch';

const message = (id: string, role: 'user' | 'assistant' = 'user') => ({ ...localMessage('c', { role }), id });
const list = (...ids: string[]) => ids.map((id) => message(id));

describe('branch', () => {
	it('keeps earlier messages that were loaded when its end is read again', () => {
		const merged = mergeEnd(list('1', '2', '3', 'local-1'), list('2', '3', '4'));
		expect(merged.messages.map((m) => m.id)).toEqual(['1', '2', '3', '4']);
		expect(merged.kept).toBe(true);
	});

	it('takes the read end alone when it does not join on', () => {
		expect(mergeEnd(list('1', '2'), list('8', '9')).messages.map((m) => m.id)).toEqual(['8', '9']);
	});

	it('steps through alternatives', () => {
		expect(siblings({ ...message('b'), sibling_ids: ['a', 'b', 'c'] })).toEqual({
			at: 1,
			count: 3,
			previous: 'a',
			next: 'c'
		});
		expect(siblings({ ...message('a'), sibling_ids: ['a'] })).toMatchObject({
			count: 1,
			previous: null,
			next: null
		});
	});

	it('cuts before a message and finds the last of a role', () => {
		expect(before(list('1', '2', '3'), '2').map((m) => m.id)).toEqual(['1']);
		expect(lastOf([message('q'), message('a', 'assistant')], 'user')?.id).toBe('q');
	});

	it('tells its own messages from stored ones', () => {
		expect(isLocal(localMessage('c', { role: 'user' }).id)).toBe(true);
		expect(isLocal('0193')).toBe(false);
	});
});
