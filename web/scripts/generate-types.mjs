// Types of every service's API from the committed OpenAPI documents. `npm run generate` writes them;
// with --check it fails when what is committed differs.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';

const source = new URL('../../docs/openapi/', import.meta.url);
const target = new URL('../src/lib/api/generated/', import.meta.url);
const check = process.argv.includes('--check');
const HEADER = '/** Written by `npm run generate` from docs/openapi; edit the service, not this file. */\n\n';

mkdirSync(target, { recursive: true });
const stale = [];
for (const name of readdirSync(source)
	.filter((file) => file.endsWith('.json'))
	.sort()) {
	const document = JSON.parse(readFileSync(new URL(name, source), 'utf8'));
	const text = HEADER + astToString(await openapiTS(document));
	const file = new URL(name.replace(/\.json$/, '.ts'), target);
	const current = existsSync(file) ? readFileSync(file, 'utf8') : '';
	if (current === text) continue;
	stale.push(fileURLToPath(file));
	if (!check) writeFileSync(file, text);
}
if (check && stale.length > 0) {
	console.error(`Out of step with docs/openapi; run \`npm run generate\`:\n${stale.join('\n')}`);
	process.exit(1);
}
console.log(stale.length === 0 ? 'types are in step' : `wrote ${stale.length} files`);
