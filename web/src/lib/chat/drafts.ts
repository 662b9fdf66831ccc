/** What is typed but not sent, per chat, across reloads. */
import type { Attachment } from '$lib/api/types';
import { personal } from '$lib/state/storage';

const PREFIX = 'draft:';
export const NEW_CHAT = 'new';

export function readDraft(chatId: string): string {
	return personal().read(PREFIX + chatId) ?? '';
}

export function writeDraft(chatId: string, text: string): void {
	personal().write(PREFIX + chatId, text.trim() === '' ? null : text);
}

/** Texts one below the other: each is kept, and none is there twice. */
export function joined(...texts: string[]): string {
	const kept: string[] = [];
	for (const text of texts.map((one) => one.trim()))
		if (text !== '' && !`\n\n${kept.join('\n\n')}\n\n`.includes(`\n\n${text}\n\n`)) kept.push(text);
	return kept.join('\n\n');
}

/** What leaves the composer. */
export interface Written {
	content: string;
	attachments: Attachment[];
}

const TITLE_MAX = 60;
const SENTENCE_MIN = 12;

/**
 * A chat's first title: the first sentence of its first message, without marks of Markdown, shortened at a
 * word.
 */
export function titleFrom(content: string): string {
	const prose = content.replace(/^(```|~~~)[\s\S]*?(^\1|$(?![\s\S]))/gm, '');
	const line = firstLine(prose) || firstLine(content.replace(/^(?:```|~~~).*$/gm, ''));
	const end = line.slice(SENTENCE_MIN).search(/[.?!](?= )/);
	const sentence = end < 0 ? line : line.slice(0, SENTENCE_MIN + end + 1);
	if (sentence.length <= TITLE_MAX) return sentence;
	const cut = sentence.slice(0, TITLE_MAX);
	return `${cut.slice(0, Math.max(TITLE_MAX / 2, cut.lastIndexOf(' ')))}…`;
}

function firstLine(text: string): string {
	const line = text.split('\n').find((one) => /[\p{L}\p{N}]/u.test(one)) ?? '';
	return line
		.replace(/^\s*(?:#{1,6}|>|[-*+]|\d{1,3}[.)])\s+/, '')
		.replace(/\*\*|__|`/g, '')
		.replace(/\s+/g, ' ')
		.trim();
}
