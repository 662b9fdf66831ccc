/** How far a document is, in words. */
import { errorText, t, type PlainKey } from '$lib/i18n';
import type { Document, Stage } from '$lib/api/retrieval';

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

/** What the file itself lacks: read again, it would fail again. */
const OF_THE_FILE = new Set([
	'broken',
	'empty',
	'encrypted',
	'no_text',
	'not_text',
	'too_complex',
	'too_deep',
	'too_large',
	'too_much_text',
	'unclear_encoding'
]);

/** Whether reading it once more can end otherwise. */
export function mayReadAgain({ stage, error }: Pick<Document, 'stage' | 'error'>): boolean {
	return stage === 'cancelled' || (stage === 'failed' && !OF_THE_FILE.has(error?.code ?? ''));
}

const DOING: Partial<Record<Stage, PlainKey>> = { parsing: 'files.reading', embedding: 'files.indexing' };
const UNITS = { pages: 'files.doneOfPages', chunks: 'files.doneOfPassages' } as const;

export function documentState(document: Pick<Document, 'stage' | 'progress' | 'error'>): DocumentState {
	const { stage } = document;
	if (stage === 'ready') return { text: t('common.ready'), tone: 'good', share: 1, busy: false };
	if (stage === 'cancelled') return { text: t('files.cancelled'), tone: 'plain', share: null, busy: false };
	if (stage === 'failed')
		return {
			text: refusalOf(document.error) ?? t('files.couldNotBeRead'),
			tone: 'danger',
			share: null,
			busy: false
		};
	const key = DOING[stage];
	if (!key) return { text: t('files.waitsToBeRead'), tone: 'plain', share: null, busy: true };
	const doing = t(key);
	const { done, total, unit } = document.progress ?? { done: 0, total: null, unit: 'chunks' };
	if (!total) return { text: `${doing}…`, tone: 'accent', share: null, busy: true };
	const of = unit === 'bytes' ? `${Math.floor((100 * done) / total)}%` : t(UNITS[unit], { done, total });
	return { text: `${doing} ${of}`, tone: 'accent', share: done / total, busy: true };
}

function refusalOf(error: Document['error']): string | null {
	return error ? (errorText(error.code, {}) ?? error.detail) : null;
}

const POLL_FIRST_MS = 400;
const POLL_MAX_MS = 5_000;

/** The longer nothing changes, the rarer one asks. */
export function pollDelay(unchanged: number): number {
	return Math.min(POLL_MAX_MS, Math.round(POLL_FIRST_MS * 1.6 ** unchanged));
}

const KINDS: [RegExp, string | (() => string)][] = [
	[/pdf/, 'PDF'],
	[/markdown/, 'Markdown'],
	[/html/, 'HTML'],
	[/wordprocessingml|msword/, () => t('files.word')],
	[/csv/, 'CSV'],
	[/json/, 'JSON'],
	[/^text\/plain/, () => t('files.text')]
];

export function kindOf(contentType: string): string {
	const kind = KINDS.find(([pattern]) => pattern.test(contentType))?.[1];
	if (kind !== undefined) return typeof kind === 'string' ? kind : kind();
	return contentType.split(/[/;]/)[1]?.toUpperCase() ?? t('files.file');
}
