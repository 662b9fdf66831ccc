import { expect, it } from 'vitest';
import { asSentence } from './sentence';

it.each([
	['the wallet is empty', 'The wallet is empty.'],
	['Spent.', 'Spent.'],
	['', ''],
	['sign in: {"a": 1}', 'Sign in: {"a": 1}']
])('"%s" becomes "%s"', (text, sentence) => expect(asSentence(text)).toBe(sentence));
