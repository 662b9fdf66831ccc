/** One resumable upload: chunks in order, and after a broken connection on from what the server has. */
import { errorText, t } from '$lib/i18n';
import { ApiError } from '$lib/api/errors';
import type { Document, Upload } from '$lib/api/retrieval';

export interface UploadPort {
	create(signal: AbortSignal): Promise<Upload>;
	read(id: string, signal: AbortSignal): Promise<Upload>;
	send(
		id: string,
		offset: number,
		chunk: Blob,
		signal: AbortSignal
	): Promise<Pick<Upload, 'offset' | 'document'>>;
	wait(ms: number, signal: AbortSignal): Promise<void>;
	now(): number;
}

/** What an upload knows of itself: kept by the caller, so that a retry goes on where the last try ended. */
export interface UploadState {
	id: string | null;
	offset: number;
	chunkBytes: number;
	chunkBytesMin: number;
	chunkBytesMax: number;
}

export const CHUNK_BYTES_MAX = 4 * 1024 * 1024;
const CHUNK_BYTES_FIRST = 512 * 1024;
const CHUNK_BYTES_MIN = 128 * 1024;
/** A chunk is to take about this long: progress moves, and little is lost when it breaks. */
const CHUNK_MS = 1_500;
const TRIES_MAX = 8;

export const newUpload = (): UploadState => ({
	id: null,
	offset: 0,
	chunkBytes: CHUNK_BYTES_FIRST,
	chunkBytesMin: CHUNK_BYTES_MIN,
	chunkBytesMax: CHUNK_BYTES_MAX
});

interface ChunkLimits {
	min: number;
	max: number;
}

/** Larger chunks on a fast line, smaller ones on a slow line. */
export function nextChunkBytes(bytes: number, tookMs: number, { min, max }: ChunkLimits): number {
	const wanted = tookMs < CHUNK_MS / 2 ? bytes * 2 : tookMs > CHUNK_MS * 2 ? Math.floor(bytes / 2) : bytes;
	return Math.min(max, Math.max(min, wanted));
}

export function backOffMs(failures: number): number {
	return Math.min(15_000, 500 * 2 ** Math.max(0, failures - 1));
}

/**
 * Worth another try: no connection, an overloaded or restarting server, an offset the server sees otherwise.
 */
export function isPassing(error: unknown): boolean {
	if (!(error instanceof ApiError)) return error instanceof TypeError;
	if (error.code === 'offset_conflict') return true;
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
async function step(
	file: Blob,
	state: UploadState,
	port: UploadPort,
	stale: boolean,
	signal: AbortSignal
): Promise<Document | null> {
	if (state.id === null) return learn(state, await port.create(signal));
	if (stale) return learn(state, await found(state, port, state.id, signal));
	const chunk = file.slice(state.offset, state.offset + state.chunkBytes);
	const from = port.now();
	const answer = await port.send(state.id, state.offset, chunk, signal);
	if (answer.offset <= state.offset && !answer.document) {
		throw new ApiError({
			status: -1,
			code: 'upload_stuck',
			title: t('files.uploadStopped'),
			detail: t('files.theServerTookNone')
		});
	}
	state.offset = answer.offset;
	state.chunkBytes = nextChunkBytes(state.chunkBytes, port.now() - from, {
		min: state.chunkBytesMin,
		max: state.chunkBytesMax
	});
	return answer.document ?? null;
}

/** An upload that expired meanwhile begins again. */
async function found(state: UploadState, port: UploadPort, id: string, signal: AbortSignal): Promise<Upload> {
	try {
		return await port.read(id, signal);
	} catch (error) {
		if (!(error instanceof ApiError) || error.status !== 404) throw error;
		state.offset = 0;
		return port.create(signal);
	}
}

function learn(state: UploadState, upload: Upload): Document | null {
	if (upload.error)
		throw new ApiError({
			status: 422,
			code: upload.error.code,
			title: t('files.uploadRefused'),
			detail: errorText(upload.error.code, {}) ?? upload.error.detail
		});
	state.id = upload.id;
	state.offset = upload.offset;
	state.chunkBytesMin = Math.max(CHUNK_BYTES_MIN, upload.chunk_bytes_min ?? 0);
	state.chunkBytesMax = Math.max(state.chunkBytesMin, Math.min(CHUNK_BYTES_MAX, upload.chunk_bytes_max));
	state.chunkBytes = Math.min(state.chunkBytesMax, Math.max(state.chunkBytesMin, state.chunkBytes));
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
