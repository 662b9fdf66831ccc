/** What is typed but not sent, per chat, across reloads. */
import type { Attachment } from '$lib/api/parts';
import { readStored, writeStored } from '$lib/state/storage';

const PREFIX = 'atrium-draft:';
export const NEW_CHAT = 'new';

export function readDraft(chatId: string): string {
	return readStored(PREFIX + chatId) ?? '';
}

export function writeDraft(chatId: string, text: string): void {
	writeStored(PREFIX + chatId, text.trim() === '' ? null : text);
}

export interface FirstMessage {
	content: string;
	attachments: Attachment[];
}

/** The first message of a chat that was just made travels here from the start page to the chat's own. */
let first: { chatId: string; message: FirstMessage } | null = null;

export function leaveFirstMessage(chatId: string, message: FirstMessage): void {
	first = { chatId, message };
}

export function takeFirstMessage(chatId: string): FirstMessage | null {
	if (first?.chatId !== chatId) return null;
	const { message } = first;
	first = null;
	return message;
}

/** A chat's first title: the first line of its first message, shortened at a word. */
export function titleFrom(content: string): string {
	const line = content.trim().split('\n')[0]?.replace(/\s+/g, ' ') ?? '';
	if (line.length <= 60) return line;
	const cut = line.slice(0, 60);
	return `${cut.slice(0, Math.max(30, cut.lastIndexOf(' ')))}…`;
}
