import { describe, expect, it } from 'vitest';
import type { Stage } from '$lib/api/retrieval';
import { documentState, isSettled, kindOf, mayReadAgain, pollDelay } from './status';

const at = (
	stage: Stage,
	progress: { done: number; total: number | null; unit: 'bytes' | 'pages' | 'chunks' } | null = null
) => ({ stage, progress });

describe('state of a document', () => {
	it('counts what is done of how much', () => {
		expect(documentState(at('parsing', { done: 3, total: 12, unit: 'pages' }))).toMatchObject({
			text: 'Reading 3 of 12 pages',
			share: 0.25,
			busy: true
		});
		expect(documentState(at('embedding', { done: 1, total: 1, unit: 'chunks' })).text).toBe(
			'Indexing 1 of 1 passage'
		);
		expect(documentState(at('parsing', { done: 50, total: 200, unit: 'bytes' })).text).toBe(
			'Reading 25%'
		);
	});

	it('names no number while the total is unknown', () => {
		expect(documentState(at('embedding', { done: 3, total: null, unit: 'chunks' }))).toMatchObject({
			text: 'Indexing…',
			share: null
		});
		expect(documentState(at('queued')).text).toBe('Waits to be read');
	});

	it('says why it failed', () => {
		const failed = {
			stage: 'failed' as const,
			error: { code: 'encrypted', detail: 'The PDF is encrypted.' }
		};
		expect(documentState(failed)).toMatchObject({
			text: 'The PDF is encrypted.',
			tone: 'danger',
			busy: false
		});
	});

	it('settles at its three ends', () => {
		expect(
			(['queued', 'parsing', 'embedding', 'ready', 'failed', 'cancelled'] as const).filter((stage) =>
				isSettled({ stage })
			)
		).toEqual(['ready', 'failed', 'cancelled']);
	});
});

it('asks ever more rarely while nothing changes', () => {
	expect(pollDelay(0)).toBe(400);
	expect(pollDelay(1)).toBeGreaterThan(pollDelay(0));
	expect(pollDelay(50)).toBe(5_000);
});

it('names kinds of files', () => {
	expect(
		[
			'application/pdf',
			'text/markdown; charset=utf-8',
			'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
			'text/csv'
		].map(kindOf)
	).toEqual(['PDF', 'Markdown', 'Word', 'CSV']);
});

describe('reading a file again', () => {
	const failed = (code: string) => ({ stage: 'failed' as const, error: { code, detail: '' } });

	it('is offered where it can end otherwise, not for a scan or a file with a password', () => {
		expect(mayReadAgain(failed('interrupted'))).toBe(true);
		expect(mayReadAgain({ stage: 'cancelled', error: null })).toBe(true);
		for (const code of ['no_text', 'encrypted', 'empty']) expect(mayReadAgain(failed(code))).toBe(false);
		expect(mayReadAgain({ stage: 'ready', error: null })).toBe(false);
	});
});
