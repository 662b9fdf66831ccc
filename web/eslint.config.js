import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import { defineConfig } from 'eslint/config';
import globals from 'globals';
import ts from 'typescript-eslint';
import literals from './eslint.literals.js';
import svelteConfig from './svelte.config.js';

export default defineConfig(
	{ ignores: ['build/', '.svelte-kit/', 'src/lib/api/generated/'] },
	js.configs.recommended,
	ts.configs.strict,
	svelte.configs.recommended,
	{ languageOptions: { globals: { ...globals.browser, ...globals.node } } },
	{
		files: ['**/*.svelte', '**/*.svelte.ts'],
		languageOptions: {
			parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'], svelteConfig }
		}
	},
	{
		rules: {
			'max-lines': ['error', 400],
			// What prettier cannot break: comments. Texts, paths of icons and lists of classes stay whole.
			'max-len': [
				'error',
				{
					code: 110,
					tabWidth: 4,
					ignoreStrings: true,
					ignoreTemplateLiterals: true,
					ignoreRegExpLiterals: true,
					ignoreUrls: true,
					ignorePattern:
						'(?:class|title|text)="|^\\s*<!-- svelte-ignore|^\\s*<!-- eslint-|// eslint-'
				}
			],
			'max-lines-per-function': ['error', { max: 60, skipComments: true, skipBlankLines: true }],
			// `_name`: what a signature or a shape demands and nobody reads.
			'@typescript-eslint/no-unused-vars': [
				'error',
				{ argsIgnorePattern: '^_', varsIgnorePattern: '^_' }
			],
			// It refuses `call<void>(…)`, which says that an answer has no body.
			'@typescript-eslint/no-invalid-void-type': 'off',
			// The client is served at the root of its origin: there is no base path to resolve.
			'svelte/no-navigation-without-resolve': 'off',
			// What is watched is $state.raw and replaced whole; other sets and maps are nobody's to watch.
			'svelte/prefer-svelte-reactivity': 'off',
			// It takes the reason after a colon for names of rules; svelte-check finds the ones that are not
			// needed.
			'svelte/no-unused-svelte-ignore': 'off'
		}
	},
	{
		files: ['src/**/*.ts', 'src/**/*.svelte'],
		rules: {
			'no-undef': 'off' // TypeScript knows better.
		}
	},
	{
		files: ['src/**/*.ts', 'src/**/*.svelte'],
		ignores: ['src/**/*.test.ts', 'src/lib/i18n/**'],
		plugins: { atrium: literals },
		rules: { 'atrium/no-literal-text': 'error' }
	},
	// A suite is one function around many, and so is a table of routes.
	{ files: ['src/**/*.test.ts', 'dev/mock-*.mjs'], rules: { 'max-lines-per-function': 'off' } }
);
