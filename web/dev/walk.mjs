// Walks the pages of pages.mjs in Chromium, wide and on a phone, light and dark, over the mock and a preview of the build.
// Needs a build (`npm run build`).   CHROMIUM (/usr/bin/chromium)   ONLY_SIZE (wide, phone)   LANGUAGE (en, de, en-XA)
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { chromium } from 'playwright-core';
import { RUNS } from './pages.mjs';

const ALL_SIZES = { wide: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const SIZES = Object.fromEntries(
	Object.entries(ALL_SIZES).filter(([size]) => [undefined, size].includes(process.env.ONLY_SIZE))
);
const THEMES = ['light', 'dark'];
const STEP_MS = 20_000;
const START_MS = 60_000;
// A small /dev/shm, as containers have, ends Chromium in the middle of a page.
const ARGS = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'];
const BROWSER_GONE = /has been closed|Target crashed|Page crashed|disconnected|ECONNRESET/i;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const freePort = () =>
	new Promise((resolve, reject) => {
		const server = createServer()
			.on('error', reject)
			.listen(0, '127.0.0.1', () => {
				const { port } = server.address();
				server.close(() => resolve(port));
			});
	});

// Chromium's driver ends only the browser on a signal.
process.once('SIGTERM', () => process.exit(143));
process.once('SIGINT', () => process.exit(130));

/** A mock API and a preview of the build in front of it. @returns its origin and how to end both */
async function serve(environment) {
	const [api, site] = [await freePort(), await freePort()];
	const preview = ['node_modules/vite/bin/vite.js', 'preview', '--port', String(site), '--strictPort'];
	const children = [
		spawn('node', ['dev/mock-api.mjs'], {
			env: { ...process.env, MOCK_PORT: String(api), ...environment },
			stdio: 'ignore'
		}),
		spawn('node', preview, {
			env: { ...process.env, ATRIUM_URL: `http://127.0.0.1:${api}` },
			stdio: 'ignore'
		})
	];
	const end = () => children.forEach((child) => child.kill());
	process.once('exit', end);
	const origin = `http://127.0.0.1:${site}`;
	for (const until = Date.now() + START_MS; Date.now() < until; await pause(100)) {
		if (children.some((child) => child.exitCode !== null)) break;
		if (
			await fetch(`${origin}/api/v1/status`).then(
				(answer) => answer.ok,
				() => false
			)
		)
			return { origin, end };
	}
	end();
	throw new Error('the preview of the build did not start');
}

/** A browser that is started anew when it is gone. */
class Chromium {
	#browser = null;

	async context(options) {
		if (!this.#browser?.isConnected()) {
			this.#browser = await chromium.launch({
				executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
				args: ARGS,
				timeout: START_MS,
				handleSIGTERM: false,
				handleSIGINT: false
			});
		}
		const context = await this.#browser.newContext(options);
		context.setDefaultTimeout(STEP_MS);
		return context;
	}

	close() {
		return this.#browser?.close().catch(() => undefined);
	}
}

/** Opens an address, waits until the page stands, does what is to be done there. */
async function visit(page, url, { act, before }) {
	await before?.(page);
	await page.goto(url, { waitUntil: 'load' });
	await page.locator('main, [data-testid=empty-state]').first().waitFor();
	await page.waitForTimeout(350);
	await act?.(page);
	await page.waitForTimeout(250);
}

async function once(chromium, url, spec, { options, opened, look }) {
	const { LANGUAGE = 'en' } = process.env;
	const context = await chromium.context({ reducedMotion: 'reduce', colorScheme: THEMES[0], ...options });
	try {
		await context.addInitScript(
			(language) => localStorage.setItem('atrium-language', language),
			LANGUAGE
		);
		const page = await context.newPage();
		opened?.(page);
		await visit(page, url, spec);
		// Colours that fade are neither theme's.
		await page.addStyleTag({ content: '* { transition: none !important }' });
		for (const theme of THEMES) {
			await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
			await page.evaluate(
				() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
			);
			await look(page, theme);
		}
	} finally {
		await context.close().catch(() => undefined);
	}
}

/** Why a text found no room: the page is wider than its window, or something in it that does not scroll is. Null: all fits. */
export const overflow = (page) =>
	page.evaluate(() => {
		if (document.documentElement.scrollWidth > innerWidth) return 'the page scrolls sideways';
		const scrolls = 'pre, [role=region], .table-scroll, .sr-only';
		const wide = [
			...document.querySelectorAll('button, a, input, select, textarea, p, h1, h2, label')
		].find((one) => {
			const { left, right, width } = one.getBoundingClientRect();
			const outside = right > innerWidth + 1 && left < innerWidth;
			return (
				outside &&
				width > 1 &&
				!one.closest(scrolls) &&
				one.checkVisibility({ visibilityProperty: true })
			);
		});
		return wide ? `“${wide.textContent.trim().slice(0, 40)}” reaches out of the window` : null;
	});

/**
 * Looks at every page and state in both sizes and themes. One visit serves both themes: a theme changes colours only.
 * @param only names of pages; all when empty
 * @param look (page, {name, size, theme}); opened: (page, {name, size, complain}) before anything is loaded
 * @returns {visits, problems}: how often something was looked at, and what could not be, one line each
 */
export async function walk({ only, options = {}, look, opened }) {
	if (!existsSync('build/index.html')) throw new Error('there is no build to look at: npm run build');
	const unknown = only.filter((name) => !RUNS.some(([, pages]) => name in pages));
	if (unknown.length > 0) throw new Error(`no such page: ${unknown.join(', ')}`);
	const chromium = new Chromium();
	const problems = [];
	let visits = 0;
	for (const [environment, pages] of RUNS) {
		const chosen = Object.entries(pages).filter(([name]) => only.length === 0 || only.includes(name));
		if (chosen.length === 0) continue;
		const { origin, end } = await serve(environment);
		for (const [name, [address, act, before]] of chosen) {
			for (const [size, viewport] of Object.entries(SIZES)) {
				const complain = (text) =>
					problems.push(
						`${name} ${size}: ${String(text?.message ?? text)
							.split('\n')
							.slice(0, 2)
							.join(' ')}`
					);
				const how = {
					options: { viewport, hasTouch: size === 'phone', ...options },
					opened: (page) => opened?.(page, { complain }),
					look: async (page, theme) => {
						await look(page, { name, size, theme, complain });
						visits += 1;
					}
				};
				const open = () => once(chromium, origin + address, { act, before }, how);
				// A browser that went away says nothing about the page: it is opened once more. Anything else is a finding.
				await open()
					.catch((error) => (BROWSER_GONE.test(String(error)) ? open() : Promise.reject(error)))
					.catch(complain);
			}
		}
		end();
	}
	await chromium.close();
	return { visits, problems };
}
