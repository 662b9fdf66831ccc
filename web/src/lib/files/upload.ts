/** One resumable upload: chunks in order, and after a broken connection on from what the server has. */
import { ApiError } from '$lib/api/errors';
import type { Document, Upload } from '$lib/api/retrieval';

export interface UploadPort {
	create(signal: AbortSignal): Promise<Upload>;
	read(id: string, signal: AbortSignal): Promise<Upload>;
	send(id: string, offset: number, chunk: Blob, signal: AbortSignal): Promise<Pick<Upload, 'offset' | 'document'>>;
	wait(ms: number, signal: AbortSignal): Promise<void>;
	now(): number;
}

/** What an upload knows of itself: kept by the caller, so that a retry goes on where the last try ended. */
export interface UploadState {
	id: string | null;
	offset: number;
	chunkBytes: number;
	chunkBytesMax: number;
}

export const CHUNK_BYTES_MAX = 4 * 1024 * 1024;
const CHUNK_BYTES_FIRST = 512 * 1024;
const CHUNK_BYTES_MIN = 128 * 1024;
/** A chunk is to take about this long: progress moves, and little is lost when it breaks. */
const CHUNK_MS = 1_500;
const TRIES_MAX = 8;

export const newUpload = (): UploadState => ({ id: null, offset: 0, chunkBytes: CHUNK_BYTES_FIRST, chunkBytesMax: CHUNK_BYTES_MAX });

/** Larger chunks on a fast line, smaller ones on a slow line. */
export function nextChunkBytes(bytes: number, tookMs: number, max: number): number {
	if (tookMs < CHUNK_MS / 2) return Math.min(max, bytes * 2);
	if (tookMs > CHUNK_MS * 2) return Math.max(Math.min(max, CHUNK_BYTES_MIN), Math.floor(bytes / 2));
	return bytes;
}

export function backOffMs(failures: number): number {
	return Math.min(15_000, 500 * 2 ** Math.max(0, failures - 1));
}

/** Worth another try: no connection, an overloaded or restarting server, an offset the server sees otherwise. */
export function isPassing(error: unknown): boolean {
	if (!(error instanceof ApiError)) return error instanceof TypeError;
	if (error.status === 409) return error.code === 'upload_offset_mismatch' || error.code.includes('offset');
	return error.status === 0 || error.status === 408 || error.status === 429 || error.status >= 500;
}

export interface UploadEvents {
	progress: (sentBytes: number) => void;
	/** True while the connection is away and the upload waits to go on. */
	retrying: (waits: boolean) => void;
}

/**
 * @returns the document that the last chunk made
 * @throws ApiError when the server refuses, or stays away for too long
 */
export async function runUpload(
	file: Blob,
	state: UploadState,
	port: UploadPort,
	events: UploadEvents,
	signal: AbortSignal
): Promise<Document> {
	let failures = 0;
	let stale = state.id !== null;
	for (;;) {
		try {
			const had = state.offset;
			const document = await step(file, state, port, stale, signal);
			stale = false;
			// Only bytes that arrived count as getting on: a server that answers but takes none is given up.
			if (state.offset > had) failures = 0;
			events.retrying(failures > 0);
			events.progress(state.offset);
			if (document) return document;
		} catch (error) {
			signal.throwIfAborted();
			failures += 1;
			if (!isPassing(error) || failures >= TRIES_MAX) throw error;
			stale = state.id !== null;
			events.retrying(true);
			const asked = error instanceof ApiError ? (error.extra.retry_after_s ?? 0) * 1_000 : 0;
			await port.wait(Math.max(asked, backOffMs(failures)), signal);
		}
	}
}

/** The next thing to do: begin, ask where the server is, or send a chunk. */
async function step(file: Blob, state: UploadState, port: UploadPort, stale: boolean, signal: AbortSignal): Promise<Document | null> {
	if (state.id === null) return learn(state, await port.create(signal));
	if (stale) return learn(state, await port.read(state.id, signal));
	const chunk = file.slice(state.offset, state.offset + Math.min(state.chunkBytes, state.chunkBytesMax));
	const from = port.now();
	const answer = await port.send(state.id, state.offset, chunk, signal);
	if (answer.offset <= state.offset && !answer.document) {
		throw new ApiError({ status: -1, code: 'upload_stuck', title: 'Upload stopped', detail: 'The server took none of the bytes sent.' });
	}
	state.offset = answer.offset;
	state.chunkBytes = nextChunkBytes(state.chunkBytes, port.now() - from, state.chunkBytesMax);
	return answer.document ?? null;
}

function learn(state: UploadState, upload: Upload): Document | null {
	state.id = upload.id;
	state.offset = upload.offset;
	state.chunkBytesMax = Math.max(1, Math.min(CHUNK_BYTES_MAX, upload.chunk_bytes_max));
	return upload.document ?? null;
}

export function pause(ms: number, signal: AbortSignal): Promise<void> {
	return new Promise((resolve, reject) => {
		const timer = setTimeout(done, ms);
		function done() {
			signal.removeEventListener('abort', aborted);
			resolve();
		}
		function aborted() {
			clearTimeout(timer);
			reject(new DOMException('Aborted', 'AbortError'));
		}
		if (signal.aborted) aborted();
		else signal.addEventListener('abort', aborted, { once: true });
	});
}
