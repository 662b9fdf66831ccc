import { Linter } from 'eslint';
import * as parser from 'svelte-eslint-parser';
import ts from 'typescript-eslint';
import { describe, expect, it } from 'vitest';
import literals from '../../../eslint.literals.js';

const linter = new Linter();

function found(code: string): number {
	const config = {
		files: ['**/*.svelte'],
		languageOptions: { parser, parserOptions: { parser: ts.parser } },
		plugins: { atrium: literals },
		rules: { 'atrium/no-literal-text': 'error' }
	} as unknown as Linter.Config;
	const messages = linter.verify(code, [config], 'a.svelte');
	expect(messages.filter(({ ruleId }) => ruleId === null)).toEqual([]);
	return messages.length;
}

describe('no-literal-text', () => {
	it.each([
		'<p>Sign in</p>',
		'<button aria-label="Send"></button>',
		'<Field label="Name" />',
		"<p>{open ? 'Close' : t('ui.open')}</p>",
		'<p title={`Signed in ${when}`}></p>',
		"<script>toasts.show('Saved.');</script>",
		"<script>const rows = [{ label: 'Name' }];</script>"
	])('refuses %s', (code) => expect(found(code)).toBe(1));

	it.each([
		"<p>{t('auth.signIn')}</p>",
		'<p>Atrium · {count} ms</p>',
		'<p class="flex items-center" data-testid="open-files"></p>',
		"<script>const rows = [{ label: t('common.name') }];</script>",
		"<script>const names = { title: 'chat.theReplyFailed' };</script>"
	])('allows %s', (code) => expect(found(code)).toBe(0));
});
