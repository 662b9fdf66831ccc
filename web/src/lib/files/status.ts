/** How far a document is, in words. */
import type { Document, Stage } from '$lib/api/retrieval';
import { plural } from '$lib/format/numbers';

export type Tone = 'plain' | 'accent' | 'good' | 'warn' | 'danger';

export interface DocumentState {
	text: string;
	tone: Tone;
	/** 0 to 1; null while nobody knows. */
	share: number | null;
	/** It changes by itself; ask again. */
	busy: boolean;
}

const ENDED = new Set<Stage>(['ready', 'failed', 'cancelled']);

export const isSettled = (document: Pick<Document, 'stage'>) => ENDED.has(document.stage);

const DOING: Partial<Record<Stage, string>> = { parsing: 'Reading', embedding: 'Indexing' };
const UNITS = { bytes: 'byte', pages: 'page', chunks: 'passage' };

export function documentState(document: Pick<Document, 'stage' | 'progress' | 'error'>): DocumentState {
	const { stage } = document;
	if (stage === 'ready') return { text: 'Ready', tone: 'good', share: 1, busy: false };
	if (stage === 'cancelled') return { text: 'Cancelled', tone: 'plain', share: null, busy: false };
	if (stage === 'failed')
		return {
			text: document.error?.detail ?? 'Could not be read',
			tone: 'danger',
			share: null,
			busy: false
		};
	const doing = DOING[stage];
	if (!doing) return { text: 'Waits to be read', tone: 'plain', share: null, busy: true };
	const { done, total, unit } = document.progress ?? { done: 0, total: null, unit: 'chunks' };
	if (!total) return { text: `${doing}…`, tone: 'accent', share: null, busy: true };
	const of =
		unit === 'bytes'
			? `${Math.floor((100 * done) / total)}%`
			: `${done} of ${plural(total, UNITS[unit])}`;
	return { text: `${doing} ${of}`, tone: 'accent', share: done / total, busy: true };
}

const POLL_FIRST_MS = 400;
const POLL_MAX_MS = 5_000;

/** The longer nothing changes, the rarer one asks. */
export function pollDelay(unchanged: number): number {
	return Math.min(POLL_MAX_MS, Math.round(POLL_FIRST_MS * 1.6 ** unchanged));
}

const KINDS: [RegExp, string][] = [
	[/pdf/, 'PDF'],
	[/markdown/, 'Markdown'],
	[/html/, 'HTML'],
	[/wordprocessingml|msword/, 'Word'],
	[/^text\/plain/, 'Text']
];

export function kindOf(contentType: string): string {
	return (
		KINDS.find(([pattern]) => pattern.test(contentType))?.[1] ??
		contentType.split(/[/;]/)[1]?.toUpperCase() ??
		'File'
	);
}

/** What can be read, for the file chooser. */
export const ACCEPT = '.pdf,.md,.markdown,.txt,.html,.htm,.docx';
