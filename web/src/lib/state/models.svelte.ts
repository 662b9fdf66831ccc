/** The models one can chat with, and whether they are ready. */
import { listModels } from '$lib/api/inference';
import { toApiError, type ApiError } from '$lib/api/errors';
import type { Model } from '$lib/api/types';
import { personal } from './storage';

const KEY = 'model';
const POLL_LOADING_MS = 2_000;
const POLL_CALM_MS = 60_000;

class Models {
	all = $state.raw<Model[]>([]);
	loaded = $state(false);
	error = $state.raw<ApiError | null>(null);
	/** The model of new chats. */
	preferred = $state<string | null>(null);
	#timer: ReturnType<typeof setTimeout> | undefined;
	#running = false;

	get chat(): Model[] {
		return this.all.filter((model) => model.kind === 'chat');
	}

	get(id: string | null): Model | null {
		return this.all.find((model) => model.id === id) ?? null;
	}

	/** The preferred model while it exists, else the first that is ready. */
	get default(): Model | null {
		const known = this.chat.find((model) => model.id === this.preferred);
		return known ?? this.chat.find((model) => model.status === 'ready') ?? this.chat[0] ?? null;
	}

	prefer(id: string): void {
		this.preferred = id;
		personal().write(KEY, id);
	}

	start(): void {
		if (this.#running) return;
		this.#running = true;
		this.preferred = personal().read(KEY);
		void this.#poll();
	}

	stop(): void {
		this.#running = false;
		clearTimeout(this.#timer);
		this.all = [];
		this.loaded = false;
		this.error = null;
		this.preferred = null;
	}

	/**
	 * Asks now, because a reply just said that it waits for its model. The answer sets the pace from
	 * then on.
	 */
	wake(): void {
		if (this.#running) void this.#poll();
	}

	async refresh(): Promise<void> {
		try {
			this.all = (await listModels()).data;
			this.error = null;
			this.loaded = true;
		} catch (error) {
			this.error = toApiError(error);
		}
	}

	async #poll(): Promise<void> {
		clearTimeout(this.#timer);
		if (!document.hidden || !this.loaded) await this.refresh();
		if (!this.#running) return;
		const soon =
			this.error !== null || this.chat.length === 0 || this.chat.some((m) => m.status === 'loading');
		this.#timer = setTimeout(() => void this.#poll(), soon ? POLL_LOADING_MS : POLL_CALM_MS);
	}
}

export const models = new Models();
