import { describe, expect, it } from 'vitest';
import { ApiError, networkError } from '$lib/api/errors';
import type { Document } from '$lib/api/retrieval';
import { backOffMs, isPassing, newUpload, nextChunkBytes, runUpload, type UploadPort } from './upload';

const refusal = (status: number, code = 'x') => new ApiError({ status, code, title: 't', detail: 'd' });
const MIB = 1024 * 1024;

/** A server that keeps what it got; `trouble` decides what goes wrong with the nth chunk. */
function server(
	size: number,
	trouble: (chunk: number) => 'lost' | 'answer lost' | ApiError | null = () => null
) {
	let stored = 0;
	let chunks = 0;
	const log: string[] = [];
	const sizes: number[] = [];
	const document = { document_id: 'd' } as Document;
	const end = () => (stored === size ? document : undefined);
	const port: UploadPort = {
		create: async () => (log.push('create'), { id: 'u', offset: 0, chunk_bytes_max: MIB }),
		read: async () => (
			log.push('read'),
			{ id: 'u', offset: stored, chunk_bytes_max: MIB, document: end() }
		),
		send: async (_id, offset, chunk) => {
			const wrong = trouble(chunks++);
			if (wrong === 'lost') throw networkError();
			if (wrong instanceof ApiError) throw wrong;
			if (offset !== stored) throw refusal(409, 'offset_conflict');
			stored += chunk.size;
			sizes.push(chunk.size);
			log.push(`chunk at ${offset}`);
			if (wrong === 'answer lost') throw networkError();
			return { offset: stored, document: end() };
		},
		wait: async (ms) => void log.push(`wait ${ms}`),
		now: () => 0
	};
	return { port, log, sizes, stored: () => stored };
}

const file = (size: number) => new Blob([new Uint8Array(size)]);
const quiet = { progress: () => undefined, retrying: () => undefined };
const forever = new AbortController().signal;

describe('resumable upload', () => {
	it('sends every byte once, in growing chunks within the limit of the server', async () => {
		const size = 3 * MIB + 17;
		const { port, sizes, stored } = server(size);
		const progress: number[] = [];
		const document = await runUpload(
			file(size),
			newUpload(),
			port,
			{ ...quiet, progress: (sent) => progress.push(sent) },
			forever
		);
		expect(document.document_id).toBe('d');
		expect(stored()).toBe(size);
		expect(sizes[0]).toBe(MIB / 2);
		expect(Math.max(...sizes)).toBe(MIB);
		expect(progress.at(-1)).toBe(size);
	});

	it('asks where the server is after a broken connection and goes on from there', async () => {
		const { port, log, stored } = server(MIB, (chunk) => (chunk === 1 ? 'lost' : null));
		await runUpload(file(MIB), newUpload(), port, quiet, forever);
		expect(log).toEqual(['create', 'chunk at 0', 'wait 500', 'read', `chunk at ${MIB / 2}`]);
		expect(stored()).toBe(MIB);
	});

	it('does not send twice what arrived while its answer was lost', async () => {
		const { port, sizes, log } = server(MIB, (chunk) => (chunk === 1 ? 'answer lost' : null));
		await runUpload(file(MIB), newUpload(), port, quiet, forever);
		expect(sizes.reduce((a, b) => a + b)).toBe(MIB);
		expect(log.at(-1)).toBe('read');
	});

	it('says while it waits, and gives up after several tries without progress', async () => {
		const { port, log } = server(MIB, () => 'lost');
		const retrying: boolean[] = [];
		await expect(
			runUpload(file(MIB), newUpload(), port, { ...quiet, retrying: (w) => retrying.push(w) }, forever)
		).rejects.toThrow();
		expect(log.filter((line) => line.startsWith('wait')).length).toBeLessThan(20);
		expect(retrying.at(-1)).toBe(true);
	});

	it('goes on later from where the last try ended', async () => {
		let away = true;
		const { port, log } = server(MIB, (chunk) => (away && chunk > 0 ? refusal(500) : null));
		const state = newUpload();
		await expect(runUpload(file(MIB), state, port, quiet, forever)).rejects.toThrow();
		away = false;
		log.length = 0;
		await runUpload(file(MIB), state, port, quiet, forever);
		expect(log).toEqual(['read', `chunk at ${MIB / 2}`]);
	});

	it('begins again when the server forgot the upload', async () => {
		const { port, log } = server(MIB / 2);
		port.read = () => Promise.reject(refusal(404));
		await runUpload(file(MIB / 2), { ...newUpload(), id: 'old', offset: 7 }, port, quiet, forever);
		expect(log).toEqual(['create', 'chunk at 0']);
	});

	it('says why the server refused what arrived', async () => {
		const { port } = server(MIB);
		port.read = async () => ({
			id: 'u',
			offset: MIB,
			chunk_bytes_max: MIB,
			error: { code: 'type_refused', detail: 'it is a picture' }
		});
		await expect(runUpload(file(MIB), { ...newUpload(), id: 'u' }, port, quiet, forever)).rejects.toThrow(
			'It is a picture.'
		);
	});

	it('sends no chunk below what the server takes', async () => {
		const { port, sizes } = server(3 * MIB);
		const create = port.create;
		port.create = async (signal) => ({
			...(await create(signal)),
			chunk_bytes_min: 2 * MIB,
			chunk_bytes_max: 2 * MIB
		});
		await runUpload(file(3 * MIB), newUpload(), port, quiet, forever);
		expect(sizes).toEqual([2 * MIB, MIB]);
	});

	it('does not try a refusal again', async () => {
		const { port, log } = server(MIB, () => refusal(413));
		await expect(runUpload(file(MIB), newUpload(), port, quiet, forever)).rejects.toMatchObject({
			status: 413
		});
		expect(log).toEqual(['create']);
	});

	it('stops when it is aborted', async () => {
		const abort = new AbortController();
		const { port } = server(MIB, () => (abort.abort(), 'lost'));
		await expect(runUpload(file(MIB), newUpload(), port, quiet, abort.signal)).rejects.toMatchObject({
			name: 'AbortError'
		});
	});
});

describe('pace', () => {
	it('doubles on a fast line, halves on a slow one, stays in between', () => {
		const limits = { min: 500, max: 4000 };
		expect(nextChunkBytes(1000, 10, limits)).toBe(2000);
		expect(nextChunkBytes(3000, 10, limits)).toBe(4000);
		expect(nextChunkBytes(3000, 9_000, limits)).toBe(1500);
		expect(nextChunkBytes(600, 9_000, limits)).toBe(500);
		expect(nextChunkBytes(1000, 1_500, limits)).toBe(1000);
	});

	it('waits longer after each failure, up to a limit', () => {
		expect([1, 2, 3, 20].map(backOffMs)).toEqual([500, 1_000, 2_000, 15_000]);
	});

	it('knows what may pass', () => {
		expect(
			[networkError(), refusal(503), refusal(429), refusal(409, 'offset_conflict')].every(isPassing)
		).toBe(true);
		expect([refusal(413), refusal(404), refusal(409), new Error('x')].some(isPassing)).toBe(false);
	});
});
