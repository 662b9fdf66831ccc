import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vitest/config';

// Where the API of `vite dev` and `vite preview` comes from: a running gateway, or dev/mock-api.mjs.
const api = process.env.ATRIUM_URL ?? 'http://127.0.0.1:8000';
const proxy = { '/api': { target: api }, '/v1': { target: api } };

export default defineConfig({
	plugins: [tailwindcss(), sveltekit()],
	server: { host: '127.0.0.1', proxy },
	preview: { host: '127.0.0.1', proxy },
	test: { include: ['src/**/*.test.ts'], environment: 'node', setupFiles: ['src/lib/i18n/all-texts.ts'] }
});
