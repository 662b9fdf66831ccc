import adapter from '@sveltejs/adapter-static';
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** @type {import('@sveltejs/kit').Config} */
export default {
	preprocess: vitePreprocess(),
	compilerOptions: { runes: true },
	kit: {
		// One page for every address: the gateway answers unknown paths with index.html.
		adapter: adapter({ fallback: 'index.html' }),
		output: { bundleStrategy: 'split' },
		version: { pollInterval: 0 }
	}
};
