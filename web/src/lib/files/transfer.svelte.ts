/** One file on its way: uploaded in chunks, then read and indexed by the server, until it is ready. */
import { t } from '$lib/i18n';
import { idempotencyKey } from '$lib/api/client';
import { isAbort, toApiError } from '$lib/api/errors';
import * as api from '$lib/api/retrieval';
import type { Document } from '$lib/api/retrieval';
import { documentState, isSettled, mayReadAgain, pollDelay } from './status';
import { newUpload, pause, runUpload } from './upload';

export type TransferPhase = 'uploading' | 'indexing' | 'ready' | 'failed';

/** Refusals of the file itself. */
const HOPELESS = new Set(['type_refused', 'file_too_large', 'filename_invalid']);

/** Files of a queue go one after the other: two lines at once are no faster than one. */
let line: Promise<unknown> = Promise.resolve();

let count = 0;

export class Transfer {
	readonly key = `transfer-${(count += 1)}`;
	readonly name: string;
	readonly size: number;
	readonly contentType: string;
	document = $state.raw<Document | null>(null);
	sent = $state(0);
	retrying = $state(false);
	/** Why it stopped; null while it goes. */
	problem = $state<string | null>(null);
	#refused = $state(false);
	#file: File | null;
	#knowledgeBaseId: string | null;
	#upload = newUpload();
	#createKey = idempotencyKey();
	#abort = new AbortController();
	#changed: (transfer: Transfer) => void;

	private constructor(
		about: { name: string; size: number; contentType: string },
		changed: (transfer: Transfer) => void
	) {
		this.name = about.name;
		this.size = about.size;
		this.contentType = about.contentType;
		this.#changed = changed;
		this.#file = null;
		this.#knowledgeBaseId = null;
	}

	/** Begins to upload. */
	static of(
		file: File,
		changed: (transfer: Transfer) => void = () => undefined,
		knowledgeBaseId: string | null = null
	): Transfer {
		const transfer = new Transfer({ name: file.name, size: file.size, contentType: file.type }, changed);
		transfer.#file = file;
		transfer.#knowledgeBaseId = knowledgeBaseId;
		void transfer.#go();
		return transfer;
	}

	/** Follows a file that is already there. */
	static stored(
		fileId: string,
		about: { filename: string; size_bytes: number; content_type: string },
		changed: (transfer: Transfer) => void = () => undefined
	): Transfer {
		const transfer = new Transfer(
			{ name: about.filename, size: about.size_bytes, contentType: about.content_type },
			changed
		);
		transfer.sent = about.size_bytes;
		void transfer.#follow(fileId);
		return transfer;
	}

	/** From now on it tells somebody else of its changes. */
	tell(changed: (transfer: Transfer) => void): void {
		this.#changed = changed;
	}

	get fileId(): string | null {
		return this.document?.document_id ?? null;
	}

	/** False where the same file would be refused again. */
	get mayRetry(): boolean {
		return !this.#refused && (this.document === null || mayReadAgain(this.document));
	}

	/** Whether it is this very file of the person's disk. */
	isOf({ name, size, lastModified }: File): boolean {
		return (
			this.#file?.name === name && this.#file.size === size && this.#file.lastModified === lastModified
		);
	}

	get phase(): TransferPhase {
		if (this.problem !== null) return 'failed';
		const { document } = this;
		if (!document) return this.#file ? 'uploading' : 'indexing';
		if (document.stage === 'ready') return 'ready';
		return isSettled(document) ? 'failed' : 'indexing';
	}

	/** Where it is, for people. */
	get text(): string {
		if (this.problem !== null) return this.problem;
		if (this.document) return documentState(this.document).text;
		if (!this.#file) return t('files.lookingItUp');
		if (this.retrying) return t('files.connectionLostTryingAgain');
		return this.size > 0
			? t('files.uploadingValue', { value: Math.floor((100 * this.sent) / this.size) })
			: t('files.uploading');
	}

	/** 0 to 1 of the current phase; null while nobody knows. */
	get share(): number | null {
		if (this.document) return documentState(this.document).share;
		return this.size > 0 ? this.sent / this.size : null;
	}

	retry(): void {
		this.problem = null;
		this.#abort = new AbortController();
		const { document } = this;
		if (document && isSettled(document)) void this.#again(document.document_id);
		else if (document) void this.#follow(document.document_id);
		else void this.#go();
	}

	/** Ends what runs here; a file that has arrived stays with the server. */
	leave(): void {
		this.#abort.abort();
	}

	/** Ends it for good: a half upload takes no more room. */
	giveUp(): void {
		this.leave();
		if (this.#upload.id !== null && !this.document)
			void api.dropUpload(this.#upload.id).catch(() => undefined);
	}

	#show(document: Document): void {
		this.document = document;
		this.#changed(this);
	}

	async #go(): Promise<void> {
		const file = this.#file;
		if (!file) return;
		if (file.size === 0) {
			this.problem = t('files.theFileIsEmpty');
			this.#refused = true;
			return;
		}
		const turn = line.then(() => this.#send(file, this.#abort.signal));
		line = turn.catch(() => undefined);
		await this.#told(async () => {
			const document = await turn;
			this.#show(document);
			await this.#poll(document.document_id);
		});
	}

	async #send(file: File, signal: AbortSignal): Promise<Document> {
		signal.throwIfAborted();
		const about = {
			filename: file.name,
			size_bytes: file.size,
			content_type: file.type || undefined,
			knowledge_base_id: this.#knowledgeBaseId ?? undefined
		};
		const port = {
			create: async (s: AbortSignal) => {
				const upload = await api.createUpload(about, this.#createKey, s);
				this.#createKey = idempotencyKey();
				return upload;
			},
			read: api.readUpload,
			send: api.sendChunk,
			wait: pause,
			now: () => performance.now()
		};
		const events = {
			progress: (sent: number) => (this.sent = sent),
			retrying: (waits: boolean) => (this.retrying = waits)
		};
		return runUpload(file, this.#upload, port, events, signal);
	}

	async #again(id: string): Promise<void> {
		await this.#told(async () => {
			this.#show(await api.retryFile(id));
			await this.#poll(id);
		});
	}

	async #follow(id: string): Promise<void> {
		await this.#told(async () => {
			this.#show(await api.getFile(id, this.#abort.signal));
			await this.#poll(id);
		});
	}

	/** Asks until the document is ready or failed; a connection that is away is waited for. */
	async #poll(id: string): Promise<void> {
		const { signal } = this.#abort;
		let unchanged = 0;
		while (this.document && !isSettled(this.document)) {
			await pause(pollDelay(unchanged), signal);
			const seen = JSON.stringify(this.document);
			try {
				this.#show(await api.getFile(id, signal));
			} catch (error) {
				const { status } = toApiError(error);
				if (isAbort(error) || (status > 0 && status < 500 && status !== 429)) throw error;
			}
			unchanged = JSON.stringify(this.document) === seen ? unchanged + 1 : 0;
		}
	}

	async #told(task: () => Promise<void>): Promise<void> {
		try {
			await task();
		} catch (error) {
			if (isAbort(error)) return;
			const problem = toApiError(error);
			this.problem = problem.status === 404 ? t('files.thisFileIsNo') : problem.message;
			this.#refused = HOPELESS.has(problem.code) || problem.status === 404;
			this.#changed(this);
		}
	}
}
