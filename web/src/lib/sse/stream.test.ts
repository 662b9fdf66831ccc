import { describe, expect, it } from 'vitest';
import { ApiError } from '$lib/api/errors';
import type { SseEvent } from './parser';
import { backoffMs, followStream } from './stream';

function body(text: string, status = 200): Response {
	return new Response(text, { status, headers: { 'content-type': 'text/event-stream' } });
}

function harness(answers: (() => Response | Promise<Response>)[]) {
	const opened: (string | null)[] = [];
	const events: SseEvent[] = [];
	const connection: string[] = [];
	const ports = {
		open: (last: string | null) => {
			opened.push(last);
			const next = answers.shift();
			if (!next) throw new Error('opened too often');
			return Promise.resolve(next());
		},
		onEvent: (event: SseEvent) => {
			events.push(event);
			return event.event === 'done';
		},
		onConnection: (state: 'open' | 'retrying') => void connection.push(state),
		sleep: () => Promise.resolve(),
		random: () => 0
	};
	return { ports, opened, events, connection };
}

const signal = () => new AbortController().signal;

describe('followStream', () => {
	it('ends with the last event', async () => {
		const h = harness([() => body('id: 1\nevent: delta\ndata: a\n\nid: 2\nevent: done\ndata: {}\n\n')]);
		await followStream(h.ports, signal());
		expect(h.events.map((e) => e.event)).toEqual(['delta', 'done']);
	});

	it('goes on after the last event seen when the connection breaks', async () => {
		const h = harness([
			() => body('id: 1\nevent: delta\ndata: a\n\nid: 2\nevent: delta\ndata: b\n\n'),
			() => {
				throw new TypeError('network');
			},
			() => body('', 503),
			() => body('id: 3\nevent: done\ndata: {}\n\n')
		]);
		await followStream(h.ports, signal());
		expect(h.opened).toEqual([null, '2', '2', '2']);
		expect(h.connection).toEqual(['open', 'retrying', 'retrying', 'retrying', 'open']);
	});

	it('does not retry a refusal and says which it was', async () => {
		const problem = JSON.stringify({
			code: 'insufficient_credits',
			detail: 'Nothing left.',
			limit_nano: 5
		});
		const h = harness([() => body(problem, 402)]);
		const error = await followStream(h.ports, signal()).catch((e: unknown) => e);
		expect(error).toBeInstanceOf(ApiError);
		expect((error as ApiError).code).toBe('insufficient_credits');
		expect((error as ApiError).extra.limit_nano).toBe(5);
		expect(h.opened).toHaveLength(1);
	});

	it('gives up after a bounded number of attempts', async () => {
		const h = harness(Array.from({ length: 20 }, () => () => body('', 503)));
		await expect(followStream(h.ports, signal())).rejects.toBeInstanceOf(ApiError);
		expect(h.opened.length).toBeLessThan(12);
	});

	it('stops without a further attempt when the caller leaves', async () => {
		const leave = new AbortController();
		const h = harness([
			() => {
				leave.abort();
				throw new DOMException('left', 'AbortError');
			}
		]);
		await expect(followStream(h.ports, leave.signal)).rejects.toThrow('left');
		expect(h.opened).toHaveLength(1);
	});
});

describe('back-off', () => {
	it('grows and is bounded', () => {
		expect(backoffMs(0, 0)).toBe(200);
		expect(backoffMs(3, 1)).toBe(3200);
		expect(backoffMs(50, 1)).toBe(10_000);
	});
});
