/**
 * A reply's events over fetch (EventSource cannot send Authorization): reconnects with back-off from the last
 * event seen, until the stream says it is done or the caller leaves.
 */
import { t } from '$lib/i18n';
import { ApiError, errorFromResponse, isAbort } from '$lib/api/errors';
import { SseParser, type SseEvent } from './parser';

/** Events or pings arrive at least each 15 s; twice that without a byte means the connection is dead. */
export const IDLE_MAX_MS = 35_000;
const ATTEMPTS_MAX = 8;
const BACKOFF_FIRST_MS = 400;
const BACKOFF_MAX_MS = 10_000;

export interface StreamPorts {
	/** Opens the stream after the given event id; null = the first connection. */
	open(lastEventId: string | null, signal: AbortSignal): Promise<Response>;
	/** Handles an event; true = it was the last. */
	onEvent(event: SseEvent): boolean;
	/** Tells that the connection broke and is tried again, or came back. */
	onConnection?(state: 'open' | 'retrying'): void;
	sleep?(ms: number, signal: AbortSignal): Promise<void>;
	random?(): number;
}

/** 5xx, 429 and broken connections may pass; a refusal does not. */
function mayPass(error: unknown): boolean {
	if (!(error instanceof ApiError)) return true;
	return error.status === 0 || error.status >= 500 || error.status === 429;
}

export function backoffMs(attempt: number, random: number): number {
	const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** attempt);
	return Math.round(ceiling / 2 + (ceiling / 2) * random);
}

function defaultSleep(ms: number, signal: AbortSignal): Promise<void> {
	return new Promise((resolve, reject) => {
		const timer = setTimeout(resolve, ms);
		signal.addEventListener(
			'abort',
			() => {
				clearTimeout(timer);
				reject(new DOMException('left', 'AbortError'));
			},
			{ once: true }
		);
	});
}

async function readWithin(
	reader: ReadableStreamDefaultReader<Uint8Array>,
	limitMs: number
): Promise<ReadableStreamReadResult<Uint8Array>> {
	let timer: ReturnType<typeof setTimeout> | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new Error(t('chat.theStreamWentSilent'))), limitMs);
	});
	try {
		return await Promise.race([reader.read(), late]);
	} finally {
		clearTimeout(timer);
	}
}

interface Cursor {
	lastEventId: string | null;
	failures: number;
}

/** @returns true when the stream ended by itself with its last event */
async function readOnce(response: Response, ports: StreamPorts, cursor: Cursor): Promise<boolean> {
	if (!response.ok || !response.body) throw await errorFromResponse(response);
	ports.onConnection?.('open');
	const reader = response.body.getReader();
	const parser = new SseParser();
	try {
		for (;;) {
			const { done, value } = await readWithin(reader, IDLE_MAX_MS);
			if (done) return false;
			for (const event of parser.feed(value)) {
				cursor.failures = 0;
				if (event.id !== null) cursor.lastEventId = event.id;
				if (ports.onEvent(event)) return true;
			}
		}
	} finally {
		reader.cancel().catch(() => undefined);
	}
}

/**
 * Reads until the last event.
 * @throws ApiError when the server refuses or stays away; AbortError when the caller left.
 */
export async function followStream(
	ports: StreamPorts,
	signal: AbortSignal,
	after: string | null = null
): Promise<void> {
	const sleep = ports.sleep ?? defaultSleep;
	const random = ports.random ?? Math.random;
	const cursor: Cursor = { lastEventId: after, failures: 0 };
	for (;;) {
		let cause: unknown = null;
		try {
			const response = await ports.open(cursor.lastEventId, signal);
			if (await readOnce(response, ports, cursor)) return;
		} catch (error) {
			if (signal.aborted || isAbort(error) || !mayPass(error)) throw error;
			cause = error;
		}
		if (cursor.failures >= ATTEMPTS_MAX) throw cause ?? new Error(t('chat.theStreamKeepsEnding'));
		ports.onConnection?.('retrying');
		await sleep(backoffMs(cursor.failures, random()), signal);
		cursor.failures += 1;
	}
}
