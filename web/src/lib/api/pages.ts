import type { Page } from './types';

const PAGES_MAX = 10;

/** All of a list that is short by nature: a picker needs it whole. */
export async function everyPage<T>(list: (after: string | null) => Promise<Page<T>>): Promise<T[]> {
	const all: T[] = [];
	let after: string | null = null;
	for (let at = 0; at < PAGES_MAX; at += 1) {
		const page: Page<T> = await list(after);
		all.push(...page.data);
		if (!page.has_more || page.last_id === null) break;
		after = page.last_id;
	}
	return all;
}
