import { expect, it } from 'vitest';
import { asSentence } from './sentence';

it.each([
	['the wallet is empty', 'The wallet is empty.'],
	['Spent.', 'Spent.'],
	['', ''],
	['your files hold 49800000 of 50000000 bytes, so 3100000 more do not fit', 'Your files hold 49.8 MB of 50 MB, so 3.1 MB more do not fit.'],
	['the run used up its limit of 250000000 nano-USD; what it wrote is kept', 'The run used up its limit of $0.25; what it wrote is kept.'],
	['line 12345 is too long', 'Line 12345 is too long.'],
	['sign in: {"a": 1}', 'Sign in: {"a": 1}']
])('"%s" becomes "%s"', (text, sentence) => expect(asSentence(text)).toBe(sentence));
