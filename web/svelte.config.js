import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import adapter from '@sveltejs/adapter-static';
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

const OUT = 'build';
const PAGE = 'index.html';
const SOURCES = [
	'src',
	'static',
	'package.json',
	'package-lock.json',
	'svelte.config.js',
	'vite.config.ts',
	'tsconfig.json'
];
const COMPRESSIBLE = new Set(['.js', '.css', '.html', '.json', '.svg', '.txt', '.webmanifest']);

/** Every file at or below a path, in one order on every machine. */
function filesAt(path) {
	const entries = readdirSync(path, { withFileTypes: true, recursive: true });
	return entries
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath, entry.name))
		.sort();
}

/** Named after its sources, not after the time: the same sources make the same build, byte for byte. */
function version() {
	const hash = createHash('sha256');
	for (const source of SOURCES) {
		for (const file of extname(source) === '' ? filesAt(source) : [source])
			hash.update(file).update('\0').update(readFileSync(file));
	}
	return hash.digest('hex').slice(0, 16);
}

const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;

/** Puts a .br and a .gz beside every file that gets smaller; the gateway sends what the browser takes. */
function compress(folder) {
	const sizes = { plain: 0, gzip: 0, brotli: 0 };
	for (const file of filesAt(folder).filter((name) => COMPRESSIBLE.has(extname(name)))) {
		const plain = readFileSync(file);
		const gzip = gzipSync(plain, { level: 9 });
		const brotli = brotliCompressSync(plain, {
			params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length }
		});
		if (gzip.length < plain.length) writeFileSync(`${file}.gz`, gzip);
		if (brotli.length < plain.length) writeFileSync(`${file}.br`, brotli);
		if (extname(file) !== '.js') continue;
		sizes.plain += plain.length;
		sizes.gzip += Math.min(gzip.length, plain.length);
		sizes.brotli += Math.min(brotli.length, plain.length);
	}
	return `JavaScript of all pages: ${kB(sizes.plain)}, ${kB(sizes.gzip)} as gzip, ${kB(sizes.brotli)} as brotli`;
}

function compressed(inner) {
	return {
		name: `${inner.name}, compressed`,
		async adapt(builder) {
			await inner.adapt(builder);
			builder.log(compress(OUT));
			// A running gateway reads the build again when its page is newer: now it is whole.
			const now = new Date();
			utimesSync(join(OUT, PAGE), now, now);
		}
	};
}

/** @type {import('@sveltejs/kit').Config} */
export default {
	preprocess: vitePreprocess(),
	compilerOptions: { runes: true },
	kit: {
		// One page for every address: the gateway answers unknown paths with it.
		adapter: compressed(adapter({ pages: OUT, fallback: PAGE })),
		output: { bundleStrategy: 'split' },
		version: { name: version(), pollInterval: 0 }
	}
};
