// Pictures of every page: wide and narrow, light and dark, to be looked at. Needs a build (`npm run build`) and Chromium.
//   npm run shots -- OUT_DIR [page ...]      CHROMIUM (/usr/bin/chromium)
// Fails on script errors and on pages that scroll sideways.
import { mkdirSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { RUNS, start, visit } from './pages.mjs';

const [out = 'shots', ...only] = process.argv.slice(2);
const SIZES = { wide: { width: 1280, height: 800 }, narrow: { width: 390, height: 844 } };
const EXPECTED = /status of (401|402|404|415|429)|Not found: /;
mkdirSync(out, { recursive: true });

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
let problems = 0;

async function picture(origin, name, [address, act], size, colorScheme) {
	const complain = (text) => {
		problems += 1;
		console.error(`${name} ${size} ${colorScheme}: ${String(text).split('\n')[0]}`);
	};
	const context = await browser.newContext({ viewport: SIZES[size], colorScheme, reducedMotion: 'reduce' });
	const page = await context.newPage();
	page.on('pageerror', (error) => complain(error.message));
	page.on('console', (message) => {
		if (message.type() === 'error' && !EXPECTED.test(message.text())) complain(message.text());
	});
	try {
		await visit(page, origin + address, act);
		if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) complain('the page scrolls sideways');
		await page.screenshot({ path: `${out}/${name}-${size}-${colorScheme}.png` });
	} catch (error) {
		complain(error);
	} finally {
		await context.close();
	}
}

for (const [environment, pages] of RUNS) {
	const chosen = Object.entries(pages).filter(([name]) => only.length === 0 || only.includes(name));
	if (chosen.length === 0) continue;
	const { origin, end } = await start(environment);
	try {
		for (const [name, page] of chosen)
			for (const size of Object.keys(SIZES)) for (const theme of ['light', 'dark']) await picture(origin, name, page, size, theme);
	} finally {
		end();
	}
}
await browser.close();
console.log(problems === 0 ? `pictures in ${out}` : `${problems} problems`);
process.exit(problems === 0 ? 0 : 1);
