/** Sends what a page left behind that went away too soon, when another page is opened. */
import { t } from '$lib/i18n';
import * as api from '$lib/api/chats';
import { toApiError } from '$lib/api/errors';
import { chats } from '$lib/state/chats.svelte';
import { personal } from '$lib/state/storage';
import { toasts } from '$lib/state/toasts.svelte';
import { NEW_CHAT, readDraft, writeDraft } from './drafts';
import { allOutgoing, dropOutgoing, isFresh, keepOutgoing, type Outgoing } from './outgoing';
import { newReply } from './reply';
import { Turn } from './turn';

/** @param here the page that is shown: what belongs to it, it sends itself */
export async function deliverLeft(here: string): Promise<void> {
	for (const entry of allOutgoing()) {
		const own = entry.chatId === null ? '/' : `/c/${entry.chatId}`;
		if (here !== own && isFresh(entry)) await deliver(entry);
	}
}

async function deliver(entry: Outgoing): Promise<void> {
	const store = personal();
	let { chatId } = entry;
	try {
		if (chatId === null && entry.chat) {
			const chat = await api.createChat(entry.chat.body, entry.chat.key);
			chatId = chat.id;
			keepOutgoing({ ...entry, chatId }, store);
			chats.put(chat);
		}
		if (chatId !== null) await arrived(chatId, entry);
		dropOutgoing(entry.key, store);
	} catch (error) {
		const problem = toApiError(error);
		// A server that is away may be back at the next visit.
		if (problem.status === 0 || problem.status >= 500 || store !== personal()) return;
		dropOutgoing(entry.key, store);
		const place = chatId ?? NEW_CHAT;
		if (readDraft(place) === '') writeDraft(place, entry.body.content);
		toasts.danger(t('chat.aMessageWasNot', { message: problem.message }));
	}
}

/** Returns when the server has it; the reply goes on there. */
async function arrived(chatId: string, entry: Outgoing): Promise<void> {
	const turn = new Turn({
		chatId,
		reply: newReply(),
		start: api.postMessage(chatId, entry.body, entry.key),
		changed: () => undefined,
		connection: () => undefined
	});
	turn.leave();
	await turn.run().catch((error: unknown) => {
		if (!turn.begun) throw error;
	});
}
