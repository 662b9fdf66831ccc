/** Server-sent events out of a byte stream, cut anywhere (WHATWG HTML, section 9.2.6). */
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
	#rest = '';
	#skipLineFeed = false;
	#data: string[] = [];
	#size = 0;
	#event = '';
	#id: string | null = null;

	/** Events completed by this piece; what is incomplete waits for the next. */
	feed(chunk: Uint8Array): SseEvent[] {
		const out: SseEvent[] = [];
		let text = this.#rest + this.#decoder.decode(chunk, { stream: true });
		if (this.#skipLineFeed && text.length > 0) {
			if (text.startsWith('\n')) text = text.slice(1);
			this.#skipLineFeed = false;
		}
		let from = 0;
		for (let at = 0; at < text.length; at += 1) {
			const char = text[at];
			if (char !== '\n' && char !== '\r') continue;
			this.#line(text.slice(from, at), out);
			if (char === '\r') {
				if (at + 1 === text.length) this.#skipLineFeed = true;
				else if (text[at + 1] === '\n') at += 1;
			}
			from = at + 1;
		}
		this.#rest = text.slice(from);
		if (this.#rest.length + this.#size > EVENT_CHARS_MAX) throw new Error(t('chat.theStreamSentAn'));
		return out;
	}

	#line(line: string, out: SseEvent[]): void {
		if (line === '') return this.#dispatch(out);
		if (line.startsWith(':')) return;
		const colon = line.indexOf(':');
		const field = colon < 0 ? line : line.slice(0, colon);
		const raw = colon < 0 ? '' : line.slice(colon + 1);
		const value = raw.startsWith(' ') ? raw.slice(1) : raw;
		if (field === 'data') {
			this.#data.push(value);
			this.#size += value.length;
		} else if (field === 'event') this.#event = value;
		else if (field === 'id' && !value.includes('\0')) this.#id = value;
	}

	#dispatch(out: SseEvent[]): void {
		if (this.#data.length > 0) {
			out.push({ id: this.#id, event: this.#event || 'message', data: this.#data.join('\n') });
		}
		this.#data = [];
		this.#size = 0;
		this.#event = '';
		this.#id = null;
	}
}
