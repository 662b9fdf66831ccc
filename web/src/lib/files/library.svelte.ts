/** The files page: the own files or those of a knowledge base, what is being uploaded, and what one keeps. */
import { t } from '$lib/i18n';
import { toApiError, type ApiError } from '$lib/api/errors';
import * as api from '$lib/api/retrieval';
import type { Document, Quota } from '$lib/api/retrieval';
import { knowledge } from '$lib/state/knowledge.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import { isSettled, pollDelay } from './status';
import { Transfer } from './transfer.svelte';

export class Library {
	files = $state.raw<Document[]>([]);
	hasMore = $state(false);
	loading = $state(false);
	loaded = $state(false);
	error = $state.raw<ApiError | null>(null);
	quota = $state.raw<Quota | null>(null);
	/** Uploads without a document yet. */
	transfers = $state.raw<Transfer[]>([]);
	/** Null: all own files. */
	baseId = $state<string | null>(null);
	#lastId: string | null = null;
	#timer: ReturnType<typeof setTimeout> | undefined;
	#unchanged = 0;
	#left = false;

	async show(baseId: string | null): Promise<void> {
		this.baseId = baseId;
		this.files = [];
		this.loaded = false;
		await this.load();
	}

	async load(): Promise<void> {
		this.#lastId = null;
		await this.#page([]);
		void this.readQuota();
	}

	async more(): Promise<void> {
		if (this.hasMore && !this.loading) await this.#page(this.files);
	}

	async #page(before: Document[]): Promise<void> {
		const { baseId } = this;
		this.loading = true;
		this.error = null;
		try {
			const page = await api.listFiles(this.#lastId, baseId);
			if (baseId !== this.baseId) return;
			const known = new Set(before.map((file) => file.document_id));
			this.files = [...before, ...page.data.filter((file) => !known.has(file.document_id))];
			this.hasMore = page.has_more;
			this.#lastId = page.last_id;
			this.loaded = true;
			this.#watch();
		} catch (error) {
			if (baseId === this.baseId) this.error = toApiError(error);
		} finally {
			if (baseId === this.baseId) this.loading = false;
		}
	}

	async readQuota(): Promise<void> {
		// The bar is left out when it cannot be read; the next change asks again.
		this.quota = await api.quota().catch(() => null);
	}

	upload(files: File[]): void {
		const baseId = knowledge.get(this.baseId)?.writable ? this.baseId : null;
		const added = files.map((file) =>
			Transfer.of(file, (transfer) => this.#arrived(transfer, baseId), baseId)
		);
		this.transfers = [...added, ...this.transfers];
	}

	drop(transfer: Transfer): void {
		transfer.giveUp();
		this.transfers = this.transfers.filter((one) => one !== transfer);
	}

	#arrived(transfer: Transfer, baseId: string | null): void {
		const { document } = transfer;
		if (!document) return;
		if (this.transfers.includes(transfer)) {
			transfer.leave();
			this.transfers = this.transfers.filter((one) => one !== transfer);
			void this.readQuota();
			if (baseId !== null) void knowledge.refresh();
		}
		if (this.baseId === null || this.baseId === baseId) this.#put(document);
		this.#unchanged = 0;
		this.#watch();
	}

	#put(document: Document): void {
		const at = this.files.findIndex((file) => file.document_id === document.document_id);
		this.files = at < 0 ? [document, ...this.files] : this.files.with(at, document);
	}

	async remove(file: Document): Promise<void> {
		await this.#tried(t('files.nameWasNotDeleted', { name: file.filename }), async () => {
			await api.deleteFile(file.document_id);
			this.#takeOff(file);
			toasts.show(t('common.deletedName', { name: file.filename }));
			await Promise.all([this.readQuota(), knowledge.refresh()]);
		});
	}

	async cancel(file: Document): Promise<void> {
		await this.#tried(t('files.nameWasNotCancelled', { name: file.filename }), async () =>
			this.#put(await api.cancelFile(file.document_id))
		);
	}

	async retry(file: Document): Promise<void> {
		await this.#tried(t('files.nameWasNotTried', { name: file.filename }), async () => {
			this.#put(await api.retryFile(file.document_id));
			this.#unchanged = 0;
			this.#watch();
		});
	}

	async addTo(baseId: string, files: Document[]): Promise<void> {
		await this.#tried(t('files.notAllFilesWere'), async () => {
			for (const file of files) await api.addToKnowledge(baseId, file.document_id);
		});
		await Promise.all([knowledge.refresh(), this.baseId === baseId ? this.load() : undefined]);
	}

	async takeOut(baseId: string, file: Document): Promise<void> {
		await this.#tried(t('files.nameWasNotTaken', { name: file.filename }), async () => {
			await api.removeFromKnowledge(baseId, file.document_id);
			if (this.baseId === baseId) this.#takeOff(file);
			await knowledge.refresh();
		});
	}

	/** Nothing more is asked for; half uploads stay and can be sent again. */
	leave(): void {
		this.#left = true;
		clearTimeout(this.#timer);
		for (const transfer of this.transfers) transfer.leave();
	}

	#takeOff(file: Document): void {
		this.files = this.files.filter((one) => one.document_id !== file.document_id);
	}

	async #tried(failed: string, task: () => Promise<void>): Promise<void> {
		try {
			await task();
		} catch (error) {
			toasts.danger(`${failed} ${toApiError(error).message}`);
		}
	}

	/** Asks again about what changes by itself, the rarer the longer nothing does. */
	#watch(): void {
		clearTimeout(this.#timer);
		if (this.#left || this.files.every(isSettled)) return;
		this.#timer = setTimeout(() => void this.#ask(), pollDelay(this.#unchanged));
	}

	async #ask(): Promise<void> {
		const busy = this.files.filter((file) => !isSettled(file));
		let changed = false;
		for (const file of busy) {
			if (this.#left) return;
			try {
				const now = await api.getFile(file.document_id);
				if (JSON.stringify(now) === JSON.stringify(file)) continue;
				changed = true;
				if (this.files.some((one) => one.document_id === now.document_id)) this.#put(now);
			} catch (error) {
				if (toApiError(error).status === 404) this.#takeOff(file);
			}
		}
		this.#unchanged = changed ? 0 : this.#unchanged + 1;
		this.#watch();
	}
}
