import { describe, expect, it } from 'vitest';
import type { SseEvent } from '$lib/sse/parser';
import { applyEvent, isOver, newReply, type Reply } from './reply';

const event = (id: number | null, name: string, data: unknown): SseEvent => ({
	id: id === null ? null : String(id),
	event: name,
	data: JSON.stringify(data)
});

const run = (events: SseEvent[], from: Reply = newReply()) => events.reduce(applyEvent, from);

const TURN = [
	event(1, 'message', { message: { id: 'q', role: 'user' }, reply_id: 'r' }),
	event(2, 'waiting', { reason: 'model_loading', progress: { downloaded_bytes: 1, total_bytes: 2, eta_s: 3 } }),
	event(3, 'delta', { text: 'Hel' }),
	event(4, 'delta', { text: 'lo' }),
	event(5, 'usage', { prompt_tokens: 3, completion_tokens: 2, cost_nano: 4000, remaining_nano: 10 }),
	event(6, 'done', { status: 'complete' })
];

describe('reply', () => {
	it('collects text, usage and the end', () => {
		const reply = run(TURN);
		expect(reply).toMatchObject({ id: 'r', text: 'Hello', status: 'complete', phase: 'ended', lastEventId: '6' });
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
		const reply = run([...TURN.slice(0, 4), event(2, 'reset', { text: 'Hi' }), event(3, 'delta', { text: '!' })]);
		expect(reply.text).toBe('Hi!');
		expect(reply.lastEventId).toBe('3');
	});

	it('goes on from the text an interrupted reply had', () => {
		expect(run(TURN.slice(2, 4), newReply('r', 'So: ')).text).toBe('So: Hello');
	});

	it('keeps what a refusal says beside its code', () => {
		const reply = run([
			event(1, 'error', { code: 'budget_exceeded', detail: 'Spent.', status: 429, limit_nano: 5, resets_at: 'x' }),
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
