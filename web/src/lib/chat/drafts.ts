/** What is typed but not sent, per chat, across reloads. */
import type { Attachment } from '$lib/api/parts';
import { personal } from '$lib/state/storage';

const PREFIX = 'draft:';
export const NEW_CHAT = 'new';

export function readDraft(chatId: string): string {
	return personal().read(PREFIX + chatId) ?? '';
}

export function writeDraft(chatId: string, text: string): void {
	personal().write(PREFIX + chatId, text.trim() === '' ? null : text);
}

/** What leaves the composer. */
export interface Written {
	content: string;
	attachments: Attachment[];
}

/** A chat's first title: the first line of its first message, shortened at a word. */
export function titleFrom(content: string): string {
	const line = content.trim().split('\n')[0]?.replace(/\s+/g, ' ') ?? '';
	if (line.length <= 60) return line;
	const cut = line.slice(0, 60);
	return `${cut.slice(0, Math.max(30, cut.lastIndexOf(' ')))}…`;
}
