/** Server-sent events out of a byte stream, cut anywhere: eventsource-parser over bytes, with a limit. */
import { createParser } from 'eventsource-parser';
import { t } from '$lib/i18n';

export interface SseEvent {
	/** The offset to resume from; null when the event carried none. */
	id: string | null;
	event: string;
	data: string;
}

/** One event larger than this is a broken or hostile stream. */
const EVENT_CHARS_MAX = 4_000_000;

export class SseParser {
	#decoder = new TextDecoder();
	#found: SseEvent[] = [];
	/** What has come since the last whole event. */
	#pendingChars = 0;
	#parser = createParser({
		onEvent: ({ id, event, data }) =>
			this.#found.push({ id: id ?? null, event: event ?? 'message', data })
	});

	/** Events completed by this piece; what is incomplete waits for the next. */
	feed(chunk: Uint8Array): SseEvent[] {
		const text = this.#decoder.decode(chunk, { stream: true });
		this.#found = [];
		this.#parser.feed(text);
		this.#pendingChars = this.#found.length > 0 ? 0 : this.#pendingChars + text.length;
		if (this.#pendingChars > EVENT_CHARS_MAX) throw new Error(t('chat.theStreamSentAn'));
		return this.#found;
	}
}
