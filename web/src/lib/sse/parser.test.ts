import { describe, expect, it } from 'vitest';
import { SseParser, type SseEvent } from './parser';

const bytes = (text: string) => new TextEncoder().encode(text);

function parseInPieces(text: string, size: number): SseEvent[] {
	const parser = new SseParser();
	const all = bytes(text);
	const out: SseEvent[] = [];
	for (let at = 0; at < all.length; at += size) out.push(...parser.feed(all.subarray(at, at + size)));
	return out;
}

describe('SSE parser', () => {
	const stream =
		': ping\n\nid: 1\nevent: delta\ndata: {"text":"Grüße 🌍"}\n\n' +
		'id: 2\r\nevent: delta\r\ndata: a\r\ndata:b\r\n\r\n' +
		'id: 3\revent: usage\rdata: {}\r\r' +
		'id: 4\nevent: done\ndata: {}\n\n';
	const expected = [
		{ id: '1', event: 'delta', data: '{"text":"Grüße 🌍"}' },
		{ id: '2', event: 'delta', data: 'a\nb' },
		{ id: '3', event: 'usage', data: '{}' },
		{ id: '4', event: 'done', data: '{}' }
	];

	it('reads the same events however the bytes are cut', () => {
		for (let size = 1; size <= bytes(stream).length; size += 1) {
			expect(parseInPieces(stream, size), `pieces of ${size}`).toEqual(expected);
		}
	});

	it('ignores comments and events without data', () => {
		expect(parseInPieces(':\n\nevent: x\n\nid: 9\n\n', 100)).toEqual([]);
	});

	it('calls an unnamed event "message" and gives it no id when it has none', () => {
		expect(parseInPieces('data: x\n\n', 100)).toEqual([{ id: null, event: 'message', data: 'x' }]);
	});

	it('drops an event that the end of the stream cut off', () => {
		expect(parseInPieces('id: 1\nevent: delta\ndata: x\n', 100)).toEqual([]);
	});

	it('refuses an event without end', () => {
		const parser = new SseParser();
		const piece = bytes('x'.repeat(1_000_000));
		expect(() => {
			for (let i = 0; i < 5; i += 1) parser.feed(piece);
		}).toThrow('too large');
	});
});
