/**
 * The files beside a message that is being written; those that have arrived are kept, with the draft, across
 * reloads.
 */
import { t } from '$lib/i18n';
import type { Attachment } from '$lib/api/types';
import { Transfer } from '$lib/files/transfer.svelte';
import { personal, type PersonalStore } from '$lib/state/storage';

export const ATTACHMENTS_MAX = 20;
const PREFIX = 'draft-files:';

export type { Attachments };

class Attachments {
	all = $state.raw<Transfer[]>([]);
	#key: string;
	#store: PersonalStore;

	constructor(chatId: string) {
		this.#key = PREFIX + chatId;
		this.#store = personal();
		this.put(readDraftFiles(this.#store.read(this.#key)));
	}

	get pending(): number {
		return this.all.filter(({ phase }) => phase === 'uploading' || phase === 'indexing').length;
	}

	get failed(): number {
		return this.all.filter(({ phase }) => phase === 'failed').length;
	}

	/** Whether trying again could help any of those that failed. */
	get mayRetry(): boolean {
		return this.all.some(({ phase, mayRetry }) => phase === 'failed' && mayRetry);
	}

	/** What a message waits for before it can go; null when nothing. */
	get blocker(): string | null {
		if (this.failed > 0)
			return t(this.mayRetry ? 'chat.filesCannotGoYet' : 'chat.filesCannotGo', { count: this.failed });
		return this.pending > 0 ? t('chat.waitsForFiles', { count: this.pending }) : null;
	}

	/** A file chosen twice is attached once. @returns how many found no room */
	add(files: Iterable<File>): number {
		const wanted = [...files].filter((file) => !this.all.some((transfer) => transfer.isOf(file)));
		const taken = wanted.slice(0, this.#room);
		this.all = [...this.all, ...taken.map((file) => Transfer.of(file, () => this.#keep()))];
		return wanted.length - taken.length;
	}

	/**
	 * Files that are already there: chosen, of a draft, or of a message that was refused. @returns how many
	 * found no room
	 */
	put(files: Attachment[]): number {
		const known = new Set(this.all.map(({ fileId }) => fileId));
		const wanted = files.filter(({ file_id }) => !known.has(file_id));
		const more = wanted
			.slice(0, this.#room)
			.map((file) => Transfer.stored(file.file_id, file, () => this.#keep()));
		if (more.length > 0) this.all = [...this.all, ...more];
		return wanted.length - more.length;
	}

	get #room(): number {
		return Math.max(0, ATTACHMENTS_MAX - this.all.length);
	}

	remove(key: string): void {
		this.all.find((transfer) => transfer.key === key)?.giveUp();
		this.all = this.all.filter((transfer) => transfer.key !== key);
		this.#keep();
	}

	/** The files as a message carries them; afterwards there are none. */
	take(): Attachment[] {
		const files = this.all.flatMap(attachmentOf);
		this.leave();
		this.all = [];
		this.#keep();
		return files;
	}

	/** They go on beside another message. @returns how many found no room there, and end */
	moveTo(other: Attachments): number {
		const known = new Set(other.all.map(({ fileId }) => fileId));
		const moving = this.all.filter(({ fileId }) => fileId === null || !known.has(fileId));
		const taken = moving.slice(0, other.#room);
		for (const transfer of taken) transfer.tell(() => other.#keep());
		other.all = [...other.all, ...taken];
		other.#keep();
		this.all = this.all.filter((transfer) => !taken.includes(transfer));
		this.leave();
		this.all = [];
		this.#keep();
		return moving.length - taken.length;
	}

	leave(): void {
		for (const transfer of this.all) transfer.leave();
	}

	#keep(): void {
		const files = this.all.flatMap(attachmentOf);
		this.#store.write(this.#key, files.length > 0 ? JSON.stringify(files) : null);
	}
}

/** By chat: an upload goes on while another page is looked at, and its chip is there on the way back. */
const open = new Map<string, Attachments>();

export function attachmentsOf(chatId: string): Attachments {
	const known = open.get(chatId) ?? new Attachments(chatId);
	open.set(chatId, known);
	return known;
}

/**
 * At the end of a session: uploads stop, and the next person at this browser does not see the names of these
 * files.
 */
export function leaveAttachments(): void {
	for (const attachments of open.values()) attachments.leave();
	open.clear();
}

function attachmentOf({ document }: Transfer): Attachment[] {
	if (!document) return [];
	const { document_id: file_id, filename, content_type, size_bytes } = document;
	return [{ file_id, filename, content_type, size_bytes }];
}

function readDraftFiles(kept: string | null): Attachment[] {
	try {
		const stored: unknown = JSON.parse(kept ?? '[]');
		return Array.isArray(stored)
			? stored.filter((file) => typeof file?.file_id === 'string').slice(0, ATTACHMENTS_MAX)
			: [];
	} catch {
		return [];
	}
}
