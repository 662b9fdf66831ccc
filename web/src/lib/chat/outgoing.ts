/**
 * What was sent and has not arrived yet. A message is kept here before its first request leaves and forgotten
 * when the server has it, so that a reload in between loses nothing; the same keys are sent again, so nothing
 * is done twice.
 */
import type { NewChat, NewMessage } from '$lib/api/chats';
import { newKey } from '$lib/api/client';
import type { Attachment, Message } from '$lib/api/types';
import { personal, type PersonalStore } from '$lib/state/storage';

export interface Outgoing {
	/** The idempotency key of the message; names this entry too. */
	key: string;
	/** Null while the chat is still to be made. */
	chatId: string | null;
	/** How its chat is made, for a first message. */
	chat: { key: string; body: NewChat } | null;
	/** Sent byte for byte again: the server takes a key for one body only. */
	body: NewMessage;
	attachments: Attachment[];
	at: number;
}

const PREFIX = 'outgoing:';
/** What is older is given back to the composer: nobody expects it to send itself any more. */
const FRESH_MS = 10 * 60_000;

export function newOutgoing(fields: Pick<Outgoing, 'body' | 'attachments'> & Partial<Outgoing>): Outgoing {
	return { key: newKey(), chatId: null, chat: null, at: Date.now(), ...fields };
}

export function newOutgoingChat(chat: NewChat, body: NewMessage, attachments: Attachment[]): Outgoing {
	return newOutgoing({ chat: { key: newKey(), body: chat }, body, attachments });
}

export function keepOutgoing(entry: Outgoing, store: PersonalStore = personal()): void {
	store.write(PREFIX + entry.key, JSON.stringify(entry));
}

export function dropOutgoing(key: string, store: PersonalStore = personal()): void {
	store.write(PREFIX + key, null);
}

/** What is still on its way, oldest first. */
export function allOutgoing(store: PersonalStore = personal()): Outgoing[] {
	const found = store.names(PREFIX).map((name) => parsed(store.read(name)));
	return found.filter((entry) => entry !== null).sort((a, b) => a.at - b.at);
}

/** Of one chat, or of chats still to be made. */
export function outgoingOf(chatId: string | null, store: PersonalStore = personal()): Outgoing | null {
	return allOutgoing(store).find((entry) => entry.chatId === chatId) ?? null;
}

export function isFresh(entry: Outgoing, now = Date.now()): boolean {
	return now - entry.at < FRESH_MS;
}

/** Whether a branch as the server has it holds the message already. */
export function hasArrived(entry: Outgoing, branch: Message[]): boolean {
	const { content, parent_id } = entry.body;
	const questions = branch.filter((message) => message.role === 'user');
	const candidates =
		parent_id === undefined
			? questions.slice(-1)
			: questions.filter((message) => message.parent_id === parent_id);
	return candidates.some((message) => message.content === content);
}

function parsed(text: string | null): Outgoing | null {
	try {
		const entry = JSON.parse(text ?? 'null') as Outgoing | null;
		return typeof entry?.key === 'string' &&
			typeof entry.body?.content === 'string' &&
			Array.isArray(entry.attachments)
			? entry
			: null;
	} catch {
		return null;
	}
}
