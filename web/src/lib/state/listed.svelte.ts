/** A list that is short by nature and read whole: what a picker offers. */
import { everyPage } from '$lib/api/pages';
import { toApiError, type ApiError } from '$lib/api/errors';
import type { Page } from '$lib/api/types';

export class Listed<Item extends { id: string }> {
	all = $state.raw<Item[]>([]);
	loaded = $state(false);
	error = $state.raw<ApiError | null>(null);
	#list: (after: string | null) => Promise<Page<Item>>;
	#order: ((a: Item, b: Item) => number) | null;

	/** @param order null: as the server lists them */
	constructor(
		list: (after: string | null) => Promise<Page<Item>>,
		order: ((a: Item, b: Item) => number) | null = null
	) {
		this.#list = list;
		this.#order = order;
	}

	get(id: string | null): Item | null {
		return this.all.find((item) => item.id === id) ?? null;
	}

	async refresh(): Promise<void> {
		try {
			const all = await everyPage(this.#list);
			this.all = this.#order ? all.sort(this.#order) : all;
			this.error = null;
			this.loaded = true;
		} catch (error) {
			this.error = toApiError(error);
		}
	}

	clear(): void {
		this.all = [];
		this.loaded = false;
		this.error = null;
	}
}
