/** The list of chats beside the page: paged, newest first, changed in place. */
import { t } from '$lib/i18n';
import { deleteChat, listChats, updateChat } from '$lib/api/chats';
import { toApiError, type ApiError } from '$lib/api/errors';
import type { Chat } from '$lib/api/types';
import { toasts } from './toasts.svelte';

class Chats {
	all = $state.raw<Chat[]>([]);
	hasMore = $state(false);
	loading = $state(false);
	loaded = $state(false);
	error = $state.raw<ApiError | null>(null);
	#lastId: string | null = null;
	/** Deleted here, while the server's copy waits for the end of the undo. */
	#leaving = new Set<string>();

	get(id: string): Chat | null {
		return this.all.find((chat) => chat.id === id) ?? null;
	}

	async load(): Promise<void> {
		this.#lastId = null;
		await this.#page((page) => page);
	}

	async more(): Promise<void> {
		if (!this.hasMore || this.loading) return;
		await this.#page((page) => [
			...this.all,
			...page.filter((c) => !this.all.some((known) => known.id === c.id))
		]);
	}

	async #page(merge: (page: Chat[]) => Chat[]): Promise<void> {
		this.loading = true;
		this.error = null;
		try {
			const page = await listChats(this.#lastId);
			this.all = merge(page.data).filter((chat) => !this.#leaving.has(chat.id));
			this.hasMore = page.has_more;
			this.#lastId = page.last_id;
			this.loaded = true;
		} catch (error) {
			this.error = toApiError(error);
		} finally {
			this.loading = false;
		}
	}

	/** Adds or replaces a chat and puts it where its activity belongs. */
	put(chat: Chat): void {
		const rest = this.all.filter((c) => c.id !== chat.id);
		const at = rest.findIndex((c) => c.updated_at < chat.updated_at);
		this.all = at < 0 ? [...rest, chat] : [...rest.slice(0, at), chat, ...rest.slice(at)];
	}

	touch(id: string): void {
		const chat = this.all.find((c) => c.id === id);
		if (chat) this.put({ ...chat, updated_at: new Date().toISOString() });
	}

	async rename(chat: Chat, title: string): Promise<void> {
		const wanted = title.trim();
		if (wanted === '' || wanted === chat.title) return;
		this.put({ ...chat, title: wanted });
		try {
			this.put(await updateChat(chat.id, { title: wanted }));
		} catch (error) {
			this.put(chat);
			toasts.danger(t('shell.theChatWasNot', { message: toApiError(error).message }));
		}
	}

	/** Takes it off the list at once; the server is told when the undo has passed, or the page closes. */
	remove(chat: Chat): void {
		this.all = this.all.filter((c) => c.id !== chat.id);
		this.#leaving.add(chat.id);
		const finish = (keepalive: boolean) => {
			removeEventListener('pagehide', onLeave);
			if (this.#leaving.has(chat.id)) void this.#delete(chat, keepalive);
		};
		const onLeave = () => finish(true);
		addEventListener('pagehide', onLeave);
		toasts.show(t('shell.deletedTitle', { title: shorten(chat.title) }), {
			action: {
				label: t('shell.undo'),
				run: () => {
					removeEventListener('pagehide', onLeave);
					this.#leaving.delete(chat.id);
					this.put(chat);
				}
			},
			expired: () => finish(false)
		});
	}

	/** Removes one that holds nothing, without a word; should it fail, an empty chat stays. */
	discard(id: string): void {
		this.all = this.all.filter((chat) => chat.id !== id);
		void deleteChat(id).catch(() => undefined);
	}

	async #delete(chat: Chat, keepalive: boolean): Promise<void> {
		try {
			await deleteChat(chat.id, keepalive);
		} catch (error) {
			const problem = toApiError(error);
			if (problem.status === 404) return;
			this.put(chat);
			toasts.danger(t('shell.theChatWasNotDeleted', { message: problem.message }));
		} finally {
			this.#leaving.delete(chat.id);
		}
	}

	clear(): void {
		this.all = [];
		this.loaded = false;
		this.hasMore = false;
		this.error = null;
		this.#lastId = null;
		this.#leaving.clear();
	}
}

function shorten(title: string): string {
	return title.length > 32 ? `${title.slice(0, 31)}…` : title || t('shell.untitled');
}

export const chats = new Chats();
