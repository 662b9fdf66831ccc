// Accessibility of every page and state: axe-core (WCAG 2.2 A and AA, best practices) wide and on a phone,
// light and dark, and a walk with Tab: what has the focus is seen, is marked, and lies under nothing but a
// notice, which leaves by itself. Exits with 1 on any finding.
//   npm run axe -- [page ...]      see walk.mjs
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { overflow, walk } from './walk.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const TABS_MAX = 60;
const NODES_MAX = 3;
const findings = [];

async function scan(page, where) {
	if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(AXE);
	const { violations } = await page.evaluate(
		(tags) => globalThis.axe.run(document, { runOnly: tags, resultTypes: ['violations'] }),
		TAGS
	);
	for (const { id, impact, help, nodes } of violations) {
		const shown = nodes
			.slice(0, NODES_MAX)
			.map(
				(node) =>
					`\n    ${node.target.join(' ')}  ${node.failureSummary?.split('\n')[1]?.trim() ?? ''}`
			);
		findings.push(`${where}: ${id} (${impact}, ${nodes.length}) ${help}${shown.join('')}`);
	}
}

/** In the page: what is wrong with the focus where it is now; null when the page has none. */
function focused() {
	const element = document.activeElement;
	if (!element || element === document.body) return null;
	const marked = (one) =>
		one && (getComputedStyle(one).outlineStyle !== 'none' || getComputedStyle(one).boxShadow !== 'none');
	const name = `${element.tagName.toLowerCase()}${element.dataset.testid ? `[${element.dataset.testid}]` : ''} “${(element.getAttribute('aria-label') ?? element.textContent ?? '').trim().slice(0, 40)}”`;
	const box = (
		element.labels?.[0]?.contains(element) ? element.labels[0] : element
	).getBoundingClientRect();
	const [x, y] = [box.x + Math.min(box.width, 24) / 2, box.y + Math.min(box.height, 24) / 2];
	const hit = document.elementFromPoint(Math.max(1, x), Math.max(1, y));
	const faults = [];
	if (box.width < 2 || box.height < 2) faults.push('cannot be seen');
	else if (box.bottom < 1 || box.right < 1 || box.top > innerHeight - 1 || box.left > innerWidth - 1)
		faults.push('is outside the window');
	else if (
		!hit ||
		!(
			hit.closest('[data-testid=toast]') ||
			element.contains(hit) ||
			hit.contains(element) ||
			element.labels?.[0]?.contains(hit)
		)
	)
		faults.push(`lies under ${hit?.tagName.toLowerCase()}`);
	if (![element, element.parentElement, element.parentElement?.parentElement].some(marked))
		faults.push('is not marked');
	element.dataset.tabbed = String(1 + Number(element.dataset.tabbed ?? 0));
	return { name, faults, again: element.dataset.tabbed > 1 };
}

async function tabThrough(page, where) {
	const seen = new Set();
	for (let i = 0; i < TABS_MAX; i += 1) {
		await page.keyboard.press('Tab');
		const now = await page.evaluate(focused);
		if (now?.again) break;
		for (const fault of now?.faults ?? []) seen.add(`${where}: by Tab, ${now.name} ${fault}`);
	}
	findings.push(...seen);
}

const { visits, problems } = await walk({
	only: process.argv.slice(2),
	options: { bypassCSP: true },
	look: async (page, { name, size, theme }) => {
		const before = findings.length;
		const wide = await overflow(page);
		if (wide) findings.push(`${name} ${size}: ${wide}`);
		await scan(page, `${name} ${size} ${theme}`);
		// Last, for it moves things.
		if (theme === (process.env.ONLY_THEME ?? 'dark')) await tabThrough(page, `${name} ${size}`);
		for (const finding of findings.slice(before)) console.log(finding);
	}
});
for (const problem of problems) console.log(`not looked at: ${problem}`);
const wrong = findings.length + problems.length;
console.log(
	`${visits} looks, ${wrong === 0 ? 'no violations' : `${findings.length} violations, ${problems.length} pages that could not be looked at`}`
);
process.exit(wrong === 0 && visits > 0 ? 0 : 1);
