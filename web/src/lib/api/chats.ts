/** Chats and their messages: /api/v1/chats. */
import { call, fetchAs, idempotencyKey } from './client';
import type { Chat, Message, Page } from './types';

const CHATS = '/api/v1/chats';
const STREAM = { accept: 'text/event-stream' };

export const listChats = (after: string | null, limit = 40) =>
	call<Page<Chat>>('GET', CHATS, { query: { limit, after } });

export interface NewChat {
	title?: string;
	model?: string;
	knowledge_base_ids?: string[];
	agent_id?: string | null;
}

export const createChat = (body: NewChat, key: string) =>
	call<Chat>('POST', CHATS, { body, headers: idempotencyKey(key) });
export const getChat = (id: string) => call<Chat>('GET', `${CHATS}/${id}`);

export type ChatChange = Partial<
	Pick<Chat, 'title' | 'model' | 'archived' | 'current_message_id' | 'knowledge_base_ids' | 'agent_id'>
>;
export const updateChat = (id: string, body: ChatChange) => call<Chat>('PATCH', `${CHATS}/${id}`, { body });
export const deleteChat = (id: string, keepalive = false) =>
	call<void>('DELETE', `${CHATS}/${id}`, { keepalive });

/** The active branch from root to leaf, or the part of it before a message. */
export const listMessages = (chatId: string, before: string | null = null, limit = 60) =>
	call<Page<Message>>('GET', `${CHATS}/${chatId}/messages`, { query: { limit, before } });

export interface NewMessage {
	content: string;
	/** Absent: after the current leaf. Null: a new root. */
	parent_id?: string | null;
	model?: string;
	/** Ids of own files. */
	attachments?: string[];
}

/** Starts a turn and streams it; called again it joins the turn it started, thanks to its key. */
export type StartTurn = (signal: AbortSignal) => Promise<Response>;

function startTurn(path: string, body: unknown, key?: string): StartTurn {
	const headers = { ...STREAM, ...idempotencyKey(key) };
	return (signal) => fetchAs('POST', `${CHATS}/${path}`, { body, signal, headers });
}

export const postMessage = (chatId: string, body: NewMessage, key: string) =>
	startTurn(`${chatId}/messages`, body, key);
export const regenerate = (chatId: string, messageId: string, body: { model?: string }) =>
	startTurn(`${chatId}/messages/${messageId}/regenerate`, body);
export const continueReply = (chatId: string, messageId: string) =>
	startTurn(`${chatId}/messages/${messageId}/continue`, undefined);
export const stopReply = (chatId: string, messageId: string) =>
	call<void>('POST', `${CHATS}/${chatId}/messages/${messageId}/stop`);

export function openStream(
	chatId: string,
	messageId: string,
	lastEventId: string | null,
	signal: AbortSignal
) {
	const headers = lastEventId === null ? STREAM : { ...STREAM, 'last-event-id': lastEventId };
	return fetchAs('GET', `${CHATS}/${chatId}/messages/${messageId}/stream`, { signal, headers });
}
