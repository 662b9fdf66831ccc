import { describe, expect, it } from 'vitest';
import type { SseEvent } from '$lib/sse/parser';
import { localMessage } from './branch';
import { applyEvent, isOver, newReply, replyAsMessage, showsWaiting, type Reply } from './reply';

const event = (id: number | null, name: string, data: unknown): SseEvent => ({
	id: id === null ? null : String(id),
	event: name,
	data: JSON.stringify(data)
});

const run = (events: SseEvent[], from: Reply = newReply()) => events.reduce(applyEvent, from);

const TURN = [
	event(1, 'message', { message: { id: 'q', role: 'user' }, reply_id: 'r' }),
	event(2, 'waiting', {
		reason: 'model_loading',
		progress: { downloaded_bytes: 1, total_bytes: 2, eta_s: 3 }
	}),
	event(3, 'delta', { text: 'Hel' }),
	event(4, 'delta', { text: 'lo' }),
	event(5, 'usage', { prompt_tokens: 3, completion_tokens: 2, cost_nano: 4000, remaining_nano: 10 }),
	event(6, 'done', { status: 'complete' })
];

const passage = (n: number) => ({
	n,
	file_id: 'f',
	chunk_id: `k${n}`,
	filename: 'a.pdf',
	page: n,
	heading: null,
	score: 0.5,
	text: 'x'
});
const tool = (status: string, result: string | null) => ({
	step: 2,
	call_id: 'c1',
	name: 'calculator',
	title: 'Calculator',
	status,
	arguments: { expression: '37 * 91' },
	result,
	files: [],
	duration_ms: null
});
const AGENT = [
	event(1, 'step', { step: 1, attempt: 1, kind: 'model', title: 'Think' }),
	event(2, 'delta', { text: 'I look it up. ' }),
	event(3, 'step', { step: 2, attempt: 1, kind: 'tool', title: 'Calculator' }),
	event(4, 'tool', tool('running', null)),
	event(5, 'citation', passage(2)),
	event(6, 'tool', tool('done', '3367')),
	event(7, 'step', { step: 3, attempt: 1, kind: 'model', title: 'Answer' }),
	event(8, 'delta', { text: 'It is 3367 [1].' }),
	event(9, 'citation', passage(1)),
	event(10, 'done', { status: 'complete' })
];

describe('reply', () => {
	it('collects text, usage and the end', () => {
		const reply = run(TURN);
		expect(reply).toMatchObject({
			id: 'r',
			text: 'Hello',
			status: 'complete',
			phase: 'ended',
			lastEventId: '6'
		});
		expect(reply.usage?.cost_nano).toBe(4000);
		expect(reply.question?.id).toBe('q');
		expect(isOver(reply)).toBe(true);
	});

	it('waits with the progress of the model until the first token', () => {
		const waiting = run(TURN.slice(0, 2));
		expect(waiting.phase).toBe('waiting');
		expect(waiting.waiting?.progress?.eta_s).toBe(3);
		expect(run(TURN.slice(2, 3), waiting).waiting).toBeNull();
	});

	it('shows a repeated event once', () => {
		const half = run(TURN.slice(0, 4));
		expect(run(TURN.slice(1), half)).toEqual(run(TURN));
	});

	it('takes any cut and resume as the uncut stream', () => {
		for (let cut = 0; cut <= TURN.length; cut += 1) {
			for (let back = 0; back <= cut; back += 1) {
				expect(run(TURN.slice(back), run(TURN.slice(0, cut)))).toEqual(run(TURN));
			}
		}
	});

	it('replaces its text on reset, even with an older id', () => {
		const reply = run([
			...TURN.slice(0, 4),
			event(2, 'reset', { text: 'Hi' }),
			event(3, 'delta', { text: '!' })
		]);
		expect(reply.text).toBe('Hi!');
		expect(reply.lastEventId).toBe('3');
	});

	it('goes on from the text an interrupted reply had', () => {
		expect(run(TURN.slice(2, 4), newReply('r', { content: 'So: ' })).text).toBe('So: Hello');
	});

	it('lists steps, tool calls as they change, and citations by their number', () => {
		const reply = run(AGENT);
		expect(reply.text).toBe('I look it up. It is 3367 [1].');
		expect(reply.parts).toMatchObject([
			{ step: 1, kind: 'model' },
			{ step: 2, kind: 'tool' },
			{ call_id: 'c1', status: 'done', result: '3367' },
			{ step: 3, kind: 'model' }
		]);
		expect(reply.citations.map(({ n }) => n)).toEqual([1, 2]);
	});

	it('takes any cut and resume of a run with tools as the uncut stream', () => {
		for (let cut = 0; cut <= AGENT.length; cut += 1) {
			for (let back = 0; back <= cut; back += 1) {
				expect(run(AGENT.slice(back), run(AGENT.slice(0, cut)))).toEqual(run(AGENT));
			}
		}
	});

	it('voids the text of a model step that runs again, and only that', () => {
		const again = [
			...AGENT.slice(0, 8),
			event(9, 'step', { step: 3, attempt: 2, kind: 'model', title: 'Answer' }),
			event(10, 'delta', { text: 'So: 3367.' })
		];
		const reply = run(again);
		expect(reply.text).toBe('I look it up. So: 3367.');
		expect(reply.parts.filter((part) => part.step === 3)).toEqual([
			{ step: 3, attempt: 2, kind: 'model', title: 'Answer' }
		]);
		expect(run([event(11, 'step', { step: 3, attempt: 3, kind: 'model', title: '' })], reply).text).toBe(
			'I look it up. '
		);
		expect(run([event(11, 'step', { step: 2, attempt: 2, kind: 'tool', title: '' })], reply).text).toBe(
			'I look it up. So: 3367.'
		);
	});

	it('voids the reasoning of that step too, and keeps what an interrupted reply had before', () => {
		const reply = run(
			[
				event(1, 'step', { step: 1, attempt: 1, kind: 'model', title: '' }),
				event(2, 'reasoning', { text: 'hm' }),
				event(3, 'delta', { text: 'wrong' }),
				event(4, 'step', { step: 1, attempt: 2, kind: 'model', title: '' })
			],
			newReply('r', { content: 'Kept. ' })
		);
		expect(reply).toMatchObject({ text: 'Kept. ', reasoning: '' });
	});

	it('does not guess where a step began that it did not see', () => {
		const reply = run([
			event(5, 'reset', { text: 'All so far' }),
			event(6, 'step', { step: 4, attempt: 2, kind: 'model', title: '' })
		]);
		expect(reply.text).toBe('All so far');
	});

	it('keeps why it ended, what it thought and what the model did not see, after the end too', () => {
		const reply = run([
			event(1, 'left_out', { messages: 12, passages: 3, window_tokens: 4096 }),
			event(2, 'reasoning', { text: 'hm, ' }),
			event(3, 'reasoning', { text: 'yes' }),
			event(4, 'delta', { text: 'Once upon' }),
			event(5, 'done', { status: 'complete', finish_reason: 'length' })
		]);
		expect(reply).toMatchObject({
			finishReason: 'length',
			reasoning: 'hm, yes',
			leftOut: { messages: 12, passages: 3, window_tokens: 4096 }
		});
		const stored = replyAsMessage(reply, localMessage('c', { role: 'assistant' }));
		expect(stored).toMatchObject({
			finish_reason: 'length',
			reasoning: 'hm, yes',
			left_out: { messages: 12 },
			content: 'Once upon'
		});
	});

	it('goes on from what a cut reply thought', () => {
		const reply = run(
			[event(9, 'reasoning', { text: 'second' })],
			newReply('r', {
				content: 'Half',
				reasoning: 'first, ',
				left_out: { messages: 1, passages: 0, window_tokens: 9 }
			})
		);
		expect(reply).toMatchObject({ text: 'Half', reasoning: 'first, second', leftOut: { messages: 1 } });
	});

	it('takes all that comes with a reset, though it carries the same id', () => {
		const stored = (id: number) => [
			event(id, 'reset', { text: 'All of it [1].' }),
			event(id, 'step', { step: 1, attempt: 1, kind: 'retrieval', title: '' }),
			event(id, 'tool', tool('done', '3367')),
			event(id, 'citation', passage(1)),
			event(id, 'left_out', { messages: 2, passages: 0, window_tokens: 9 }),
			event(id, 'reasoning', { text: 'all thoughts' }),
			event(id, 'usage', {
				prompt_tokens: 3,
				completion_tokens: 2,
				cost_nano: 4000,
				remaining_nano: 10
			}),
			event(id, 'done', { status: 'complete', finish_reason: 'stop' })
		];
		const before = run([event(7, 'reasoning', { text: 'all' }), event(8, 'delta', { text: 'All' })]);
		for (const id of [5, 8, 20]) {
			const reply = run(stored(id), before);
			expect(reply).toMatchObject({
				text: 'All of it [1].',
				reasoning: 'all thoughts',
				leftOut: { messages: 2 },
				phase: 'ended',
				finishReason: 'stop'
			});
			expect(reply.parts).toHaveLength(2);
			expect(reply.citations).toHaveLength(1);
			expect(reply.usage?.cost_nano).toBe(4000);
		}
	});

	it('ends by an end that carries the last id it saw', () => {
		const reply = run([event(4, 'done', { status: 'complete' })], run(TURN.slice(0, 4)));
		expect(reply).toMatchObject({ phase: 'ended', text: 'Hello' });
	});

	it('waits for a service that is away', () => {
		expect(run([event(1, 'waiting', { reason: 'service_away' })]).waiting?.reason).toBe('service_away');
		expect(run([event(1, 'waiting', { reason: 'agents_busy' })]).waiting?.reason).toBe('agents_busy');
		expect(run([event(1, 'waiting', { reason: 'new_word' })]).waiting?.reason).toBe('other');
	});

	it('says what an agent waits for between two steps, though it wrote before', () => {
		const begun = run(AGENT.slice(0, 7));
		expect(showsWaiting(begun, false)).toBe(false);
		const waiting = run([event(8, 'waiting', { reason: 'model_busy' })], begun);
		expect(waiting.waiting?.reason).toBe('model_busy');
		expect(showsWaiting(waiting, false)).toBe(true);
		expect(showsWaiting(run([event(9, 'delta', { text: 'It' })], waiting), false)).toBe(false);
	});

	it('says that the agent service is away, under the last id, until the next event', () => {
		const away = run([event(4, 'waiting', { reason: 'service_away' })], run(AGENT.slice(0, 4)));
		expect(away).toMatchObject({ lastEventId: '4', waiting: { reason: 'service_away' } });
		expect(showsWaiting(away, true)).toBe(true);
		for (const next of [event(5, 'citation', passage(2)), event(5, 'tool', tool('done', '3367'))])
			expect(run([next], away).waiting).toBeNull();
	});

	it('thinks until there is something to look at', () => {
		expect(showsWaiting(newReply(), false)).toBe(true);
		expect(showsWaiting(newReply(), true)).toBe(false);
		expect(showsWaiting(run(TURN.slice(0, 3)), false)).toBe(false);
	});

	it('keeps what a refusal says beside its code', () => {
		const reply = run([
			event(1, 'error', {
				code: 'budget_exceeded',
				detail: 'Spent.',
				status: 429,
				limit_nano: 5,
				resets_at: 'x'
			}),
			event(2, 'done', { status: 'failed' })
		]);
		expect(reply.error).toEqual({
			code: 'budget_exceeded',
			detail: 'Spent.',
			status: 429,
			extra: { limit_nano: 5, resets_at: 'x' }
		});
		expect(reply.status).toBe('failed');
	});

	it('ignores what it does not know or cannot read', () => {
		const start = run(TURN.slice(0, 3));
		expect(applyEvent(start, event(null, 'news', {}))).toEqual(start);
		expect(applyEvent(start, { id: null, event: 'delta', data: 'not json' })).toEqual(start);
	});
});
