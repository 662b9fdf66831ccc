import { describe, expect, it } from 'vitest';
import type { Citation, Part, ToolCall } from '$lib/api/types';
import { activityOf, citedIn, withCall, withCitation, withStep } from './activity';

const call = (fields: Partial<ToolCall>): ToolCall => ({
	step: 1,
	call_id: 'c1',
	name: 'calculator',
	title: 'Calculator',
	status: 'done',
	arguments: {},
	result: null,
	files: [],
	...fields
});
const step = (n: number, kind: 'model' | 'tool' | 'retrieval', attempt = 1): Part => ({
	step: n,
	attempt,
	kind,
	title: ''
});
const citation = (n: number, text = ''): Citation => ({
	n,
	file_id: 'f',
	chunk_id: `k${n}`,
	filename: 'a',
	score: 1,
	text
});

describe('folding', () => {
	it('lists a step once, its latest attempt', () => {
		const parts = withStep(
			withStep([step(1, 'model')], step(2, 'tool') as never),
			step(1, 'model', 2) as never
		);
		expect(parts).toEqual([step(1, 'model', 2), step(2, 'tool')]);
	});

	it('changes a call in place and leaves the given list alone', () => {
		const before = [call({ status: 'running' }), call({ call_id: 'c2' })];
		const after = withCall(before, call({ result: '4' }));
		expect(after.map((part) => (part as ToolCall).status)).toEqual(['done', 'done']);
		expect((before[0] as ToolCall).status).toBe('running');
	});

	it('takes calls of two steps for two, whatever their ids', () => {
		expect(withCall([call({ step: 2 })], call({ step: 4 }))).toHaveLength(2);
	});

	it('orders citations by number and replaces one that comes again', () => {
		const all = [3, 1, 3].reduce(
			(list, n, at) => withCitation(list, citation(n, String(at))),
			[] as Citation[]
		);
		expect(all.map(({ n, text }) => `${n}:${text}`)).toEqual(['1:1', '3:2']);
	});
});

describe('activity', () => {
	it('says what is done now', () => {
		const parts = [step(1, 'model'), step(2, 'tool'), call({ status: 'running' })];
		expect(activityOf(parts, true)).toMatchObject({ summary: 'Using Calculator', working: true });
	});

	it('asks for approval before anything else', () => {
		const parts = [
			call({ status: 'awaiting_approval' }),
			call({ call_id: 'c2', title: 'Python', status: 'running' })
		];
		const activity = activityOf(parts, true);
		expect(activity.awaiting?.call_id).toBe('c1');
		expect(activity.summary).toBe('Calculator waits for your approval');
		expect(activityOf(parts, false).awaiting).toBeNull();
	});

	it('sums up what was done', () => {
		const parts = [
			call({}),
			call({ call_id: 'c2' }),
			call({ call_id: 'c3', title: '', name: 'time.now', status: 'failed' })
		];
		expect(activityOf(parts, false).summary).toBe('Used Calculator, time.now · 3 calls · 1 failed');
		expect(activityOf([call({ status: 'denied' })], false).summary).toBe('Calculator was not allowed');
		expect(
			activityOf([call({}), call({ call_id: 'c2', title: 'Python', status: 'denied' })], false).summary
		).toBe('Used Calculator · 1 denied');
		const many = ['a', 'b', 'c', 'd'].map((title) => call({ call_id: title, title }));
		expect(activityOf(many, false).summary).toBe('Used a, b and 2 more');
	});

	it('shows a look-up without a tool, and lists no turns of the model', () => {
		expect(activityOf([step(1, 'retrieval')], true)).toMatchObject({
			working: true,
			summary: 'Looking in the documents'
		});
		const over = activityOf([step(1, 'retrieval'), step(2, 'model')], true);
		expect(over).toMatchObject({ working: false, summary: 'Looked in the documents' });
		expect(over.items).toHaveLength(1);
		expect(activityOf([step(1, 'model')], false).items).toEqual([]);
	});
});

describe('cited numbers', () => {
	it('are those with a passage', () => {
		expect([...citedIn('As [1] and [2, 3] say, not [9].', [citation(1), citation(3)])]).toEqual([1, 3]);
	});
});
