/** One running reply: follows its stream and tells of changes at most once a frame. */
import { openStream, type StartTurn } from '$lib/api/chats';
import { errorFromResponse } from '$lib/api/errors';
import { followStream } from '$lib/sse/stream';
import { applyEvent, isOver, type Reply } from './reply';

export interface TurnOptions {
	chatId: string;
	reply: Reply;
	/** Starts the turn; absent when a running one is joined. */
	start?: StartTurn;
	/** Called once, when the server sent the first event: from then on what was asked is stored there. */
	arrived?: () => void;
	changed: (reply: Reply) => void;
	connection: (state: 'open' | 'retrying') => void;
}

/** Hidden tabs get no frames; they draw at this pace instead. */
const HIDDEN_DRAW_MS = 250;

export class Turn {
	#options: TurnOptions;
	#reply: Reply;
	#abort = new AbortController();
	#drawing = false;
	#left = false;

	constructor(options: TurnOptions) {
		this.#options = options;
		this.#reply = options.reply;
	}

	/**
	 * Stops listening; the server continues the reply. What was sent and has not arrived yet arrives first.
	 */
	leave(): void {
		this.#left = true;
		if (this.begun || !this.#options.start) this.#abort.abort();
	}

	/** True once the server sent an event: from then on the turn is stored there. */
	get begun(): boolean {
		return this.#reply.lastEventId !== null;
	}

	get left(): boolean {
		return this.#left;
	}

	/**
	 * @returns the reply as it ended
	 * @throws ApiError when the turn was refused before anything was stored, or the server stays away
	 */
	async run(): Promise<Reply> {
		const { signal } = this.#abort;
		let opened = await this.#begin(signal);
		await followStream(
			{
				open: (lastEventId) => {
					const response = opened;
					opened = null;
					return response ? Promise.resolve(response) : this.#join(lastEventId, signal);
				},
				onEvent: (event) => {
					const first = !this.begun;
					this.#reply = applyEvent(this.#reply, event);
					if (first && this.begun) this.#options.arrived?.();
					if (this.#left) this.#abort.abort();
					else this.#draw();
					return isOver(this.#reply);
				},
				onConnection: (state) => {
					if (!this.#left) this.#options.connection(state);
				}
			},
			signal
		);
		return this.#reply;
	}

	async #begin(signal: AbortSignal): Promise<Response | null> {
		if (!this.#options.start) return null;
		const response = await this.#options.start(signal);
		if (!response.ok) throw await errorFromResponse(response);
		return response;
	}

	/** The running reply by its id; while it has none, the start again, which leads to the same turn. */
	#join(lastEventId: string | null, signal: AbortSignal): Promise<Response> {
		const { chatId, start } = this.#options;
		const { id } = this.#reply;
		if (start && !this.begun) return start(signal);
		if (id === null) throw new Error('A running turn is joined by the id of its reply.');
		return openStream(chatId, id, lastEventId, signal);
	}

	#draw(): void {
		if (this.#drawing) return;
		this.#drawing = true;
		const draw = () => {
			this.#drawing = false;
			if (!this.left) this.#options.changed(this.#reply);
		};
		if (document.hidden) setTimeout(draw, HIDDEN_DRAW_MS);
		else requestAnimationFrame(draw);
	}
}
