// Walks the pages of pages.mjs in Chromium, wide and on a phone, light and dark, over the mock and a preview
// of the build. Needs a build (`npm run build`). CHROMIUM (/usr/bin/chromium) ONLY_SIZE (wide, phone)
// ONLY_THEME (light, dark) LANGUAGE (en, de, en-XA)
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { chromium } from 'playwright-core';
import { RUNS } from './pages.mjs';

const ALL_SIZES = { wide: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const SIZES = Object.fromEntries(
	Object.entries(ALL_SIZES).filter(([size]) => [undefined, size].includes(process.env.ONLY_SIZE))
);
const THEMES = ['light', 'dark'].filter((theme) => [undefined, theme].includes(process.env.ONLY_THEME));
const STEP_MS = 20_000;
const VISIT_MS = 60_000;
const WALK_MS = 40 * 60_000;
/** A page stands when nothing of it has changed for so long. */
const QUIET_MS = 120;
const SETTLE_MS = 1_500;
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

/**
 * One browser, and in it one page for each size, used for all visits: a new one would load the program again.
 */
class Chromium {
	#browser = null;
	#pages = new Map();

	/** The page of a size; a new one where its browser or page is gone. */
	async page(size, options) {
		const known = this.#pages.get(size);
		if (known && this.#browser?.isConnected() && !known.isClosed()) return known;
		if (!this.#browser?.isConnected()) {
			this.#browser = await chromium.launch({
				executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
				args: ARGS,
				timeout: START_MS,
				handleSIGTERM: false,
				handleSIGINT: false
			});
		}
		const context = await this.#browser.newContext({
			reducedMotion: 'reduce',
			colorScheme: THEMES[0],
			...options
		});
		context.setDefaultTimeout(STEP_MS);
		const page = await context.newPage();
		this.#pages.set(size, page);
		return page;
	}

	/** The next visit gets new pages. */
	async forget() {
		for (const page of this.#pages.values())
			await page
				.context()
				.close()
				.catch(() => undefined);
		this.#pages.clear();
	}

	close() {
		return this.#browser?.close().catch(() => undefined);
	}
}

/** Until the page has stood still for a moment; a page that never does is looked at all the same. */
const settled = (page) =>
	page.evaluate(
		([quiet, most]) =>
			new Promise((done) => {
				let timer = setTimeout(done, quiet);
				const observer = new MutationObserver(() => {
					clearTimeout(timer);
					timer = setTimeout(done, quiet);
				});
				observer.observe(document, {
					subtree: true,
					childList: true,
					attributes: true,
					characterData: true
				});
				setTimeout(() => (observer.disconnect(), done()), most);
			}),
		[QUIET_MS, SETTLE_MS]
	);

/**
 * Opens an address as nobody has been there before, waits until the page stands, does what is to be done
 * there.
 */
async function visit(page, url, { act, before }) {
	const { LANGUAGE = 'en' } = process.env;
	await page.unrouteAll({ behavior: 'ignoreErrors' });
	// A small answer of the same origin: there the kept things of the visit before are forgotten.
	await page.goto(new URL('/favicon.svg', url).href);
	await page.evaluate((language) => {
		localStorage.clear();
		sessionStorage.clear();
		localStorage.setItem('atrium-language', language);
	}, LANGUAGE);
	await page.emulateMedia({ colorScheme: THEMES[0], reducedMotion: 'reduce' });
	await before?.(page);
	await page.goto(url, { waitUntil: 'load' });
	await page.locator('main, [data-testid=empty-state]').first().waitFor();
	await settled(page);
	await act?.(page);
	await settled(page);
	// Colours that fade are neither theme's.
	await page.addStyleTag({ content: '* { transition: none !important }' });
}

async function once(page, url, spec, look) {
	await visit(page, url, spec);
	for (const theme of THEMES) {
		await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
		await page.evaluate(
			() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
		);
		await look(page, theme);
	}
}

/** Fails when the work is not done in time: a page that hangs must not keep the others waiting. */
function within(ms, work) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`not done within ${ms / 1000} s`)), ms);
	});
	return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/**
 * Why a text found no room: the page is wider than its window, or something in it that does not scroll is.
 * Null: all fits.
 */
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

const firstLines = (error) =>
	String(error?.message ?? error)
		.split('\n')
		.slice(0, 2)
		.join(' ');

/**
 * Looks at every page and state in both sizes and themes. One visit serves both themes: a theme changes
 * colours only.
 * @param only names of pages; all when empty
 * @param look (page, {name, size, theme}); opened: (page, {complain}) before anything is loaded; what it
 * gives back is called afterwards
 * @returns {visits, problems}: how often something was looked at, and what could not be, one line each
 */
export async function walk({ only, options = {}, look, opened }) {
	if (!existsSync('build/index.html')) throw new Error('there is no build to look at: npm run build');
	const unknown = only.filter((name) => !RUNS.some(([, pages]) => name in pages));
	if (unknown.length > 0) throw new Error(`no such page: ${unknown.join(', ')}`);
	const chromium = new Chromium();
	const until = Date.now() + WALK_MS;
	const problems = [];
	let visits = 0;
	for (const [environment, pages] of RUNS) {
		const chosen = Object.entries(pages).filter(([name]) => only.length === 0 || only.includes(name));
		if (chosen.length === 0) continue;
		const { origin, end } = await serve(environment);
		for (const [size, viewport] of Object.entries(SIZES)) {
			for (const [name, [address, act, before]] of chosen) {
				const complain = (text) => problems.push(`${name} ${size}: ${firstLines(text)}`);
				const open = async () => {
					if (Date.now() > until)
						throw new Error(`the walk took longer than ${WALK_MS / 60_000} minutes`);
					const page = await chromium.page(size, {
						viewport,
						hasTouch: size === 'phone',
						...options
					});
					const leave = opened?.(page, { complain });
					const seen = async (there, theme) => {
						await look(there, { name, size, theme, complain });
						visits += 1;
					};
					await within(VISIT_MS, once(page, origin + address, { act, before }, seen)).finally(() =>
						leave?.()
					);
				};
				// A browser that went away says nothing about the page: it is opened once more. Anything else
				// is a finding.
				await open()
					.catch((error) => (BROWSER_GONE.test(String(error)) ? open() : Promise.reject(error)))
					.catch(async (error) => {
						complain(error);
						await chromium.forget();
					});
			}
		}
		await chromium.forget();
		end();
	}
	await chromium.close();
	return { visits, problems };
}
