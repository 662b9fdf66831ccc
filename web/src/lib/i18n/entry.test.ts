import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { app } from './en/app';

const SRC = resolve(import.meta.dirname, '../..');
const ENTRY = ['+layout.svelte', '+layout.ts', '+error.svelte', '(auth)'].map((one) =>
	join(SRC, 'routes', one)
);
const IMPORT = /^\s*(?:import|export) (?!type )[^;]*?from '([^']+)'|^\s*import '([^']+)'/gm;

function sourceOf(name: string, from: string): string | null {
	const path = name.startsWith('$lib/') ? join(SRC, 'lib', name.slice(5)) : join(dirname(from), name);
	if (!name.startsWith('$lib/') && !name.startsWith('.')) return null;
	return (
		[path, `${path}.ts`, join(path, 'index.ts')].find((one) => /\.\w+$/.test(one) && existsSync(one)) ??
		null
	);
}

/**
 * Every module that is loaded with the pages before sign-in: without types, and without what is imported when
 * it is wanted.
 */
function reached(): Set<string> {
	const open = ENTRY.flatMap((one) =>
		one.endsWith(')')
			? readdirSync(one, { recursive: true, encoding: 'utf8' }).map((name) => join(one, name))
			: one
	).filter((one) => /\.(ts|svelte)$/.test(one));
	open.push(join(SRC, 'hooks.client.ts'));
	const seen = new Set(open);
	for (const file of open) {
		for (const [, from, bare] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
			const found = sourceOf(from ?? bare ?? '', file);
			if (!found || seen.has(found)) continue;
			seen.add(found);
			open.push(found);
		}
	}
	return seen;
}

describe('the pages before sign-in', () => {
	const files = [...reached()].filter((file) => !file.includes('/i18n/'));

	it('say only what is loaded with them', () => {
		expect(files.length).toBeGreaterThan(20);
		const said = files.flatMap((file) =>
			[...readFileSync(file, 'utf8').matchAll(/'([a-z]+\.\w+)'/g)]
				.filter(([, key]) => (key ?? '') in app)
				.map(([, key]) => `${file.slice(SRC.length)}: ${key}`)
		);
		expect(said).toEqual([]);
	});
});
