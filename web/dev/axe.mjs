// Accessibility of every page by axe-core (WCAG 2.2 A and AA), wide, light and dark. Needs a build and Chromium.
//   npm run axe -- [page ...]      CHROMIUM (/usr/bin/chromium)
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { RUNS, start, visit } from './pages.mjs';

const only = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
let found = 0;

async function look(origin, name, [address, act], colorScheme) {
	const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme, reducedMotion: 'reduce', bypassCSP: true });
	const page = await context.newPage();
	try {
		await visit(page, origin + address, act);
		await page.evaluate(axe);
		const { violations } = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags, resultTypes: ['violations'] }), TAGS);
		for (const violation of violations) {
			found += 1;
			console.log(`${name} ${colorScheme}: ${violation.id} (${violation.impact}) ${violation.help}`);
			for (const node of violation.nodes.slice(0, 3)) console.log(`    ${node.target.join(' ')}  ${node.failureSummary?.split('\n')[1]?.trim() ?? ''}`);
		}
	} catch (error) {
		found += 1;
		console.log(`${name} ${colorScheme}: ${String(error).split('\n')[0]}`);
	} finally {
		await context.close();
	}
}

for (const [environment, pages] of RUNS) {
	const chosen = Object.entries(pages).filter(([name]) => only.length === 0 || only.includes(name));
	if (chosen.length === 0) continue;
	const { origin, end } = await start(environment);
	try {
		for (const [name, page] of chosen) for (const theme of ['light', 'dark']) await look(origin, name, page, theme);
	} finally {
		end();
	}
}
await browser.close();
console.log(found === 0 ? 'no violations' : `${found} violations`);
process.exit(found === 0 ? 0 : 1);
