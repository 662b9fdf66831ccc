// Pictures of every page and state: wide and on a phone, light and dark, to be looked at.
//   npm run shots -- OUT_DIR [page ...]      see walk.mjs
// Exits with 1 on script errors and on pages that scroll sideways.
import { mkdirSync } from 'node:fs';
import { overflow, walk } from './walk.mjs';

const [out = 'shots', ...only] = process.argv.slice(2);
const EXPECTED = /status of (401|402|403|404|409|413|415|422|429|503)|Not found: /;
mkdirSync(out, { recursive: true });

const { visits, problems } = await walk({
	only,
	opened: (page, { complain }) => {
		const said = (message) => {
			if (message.type() === 'error' && !EXPECTED.test(message.text())) complain(message.text());
		};
		page.on('pageerror', complain).on('console', said);
		return () => page.off('pageerror', complain).off('console', said);
	},
	look: async (page, { name, size, theme, complain }) => {
		const wide = await overflow(page);
		if (wide) complain(wide);
		await page.screenshot({ path: `${out}/${name}-${size}-${theme}.png` });
	}
});
for (const problem of problems) console.error(problem);
console.log(`${visits} pictures in ${out}, ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
