import { describe, expect, it } from 'vitest';
import { asSentence, forPeople } from './sentence';

it.each([
	['the wallet is empty', 'The wallet is empty.'],
	['Spent.', 'Spent.'],
	['', ''],
	[
		'your files hold 49800000 of 50000000 bytes, so 3100000 more do not fit',
		'Your files hold 49.8 MB of 50 MB, so 3.1 MB more do not fit.'
	],
	[
		'the run used up its limit of 250000000 nano-USD; what it wrote is kept',
		'The run used up its limit of $0.25; what it wrote is kept.'
	],
	['line 12345 is too long', 'Line 12345 is too long.'],
	['sign in: {"a": 1}', 'Sign in: {"a": 1}']
])('"%s" becomes "%s"', (text, sentence) => expect(asSentence(text)).toBe(sentence));

describe('what a page says of a service', () => {
	it.each([
		[
			"the e-mail address or the password is wrong; `make admin-password` resets an administrator's",
			'The e-mail address or the password is wrong.'
		],
		[
			'the model m has no price yet; an administrator sets one with PUT /api/v1/billing/prices {"model": "m"} or marks it free with {"free": true}',
			'The model m has no price yet.'
		],
		['Sign in. POST /api/v1/auth/token gives a token.', 'Sign in.'],
		['GET /api/v1/x failed', 'The server refused this.']
	])('holds no routes and no commands: %s', (text, said) => expect(asSentence(text)).toBe(said));

	it.each([
		'the file MY_REPORT_2026.pdf is too large',
		'reads and/or writes',
		'either/or; both',
		'ask for v1; make it short'
	])('keeps ordinary words: %s', (text) => expect(forPeople(text)).toContain(text.slice(4)));

	it('holds neither addresses nor names of settings for people who do not run it', () => {
		const text =
			'the provider http://10.0.0.7:8080/v1 does not answer; look at OPENAI_API_BASE_URLS; your message is kept';
		expect(forPeople(text)).toBe('Your message is kept.');
		expect(forPeople('no provider at 10.0.0.7:8080 answers, try again')).toBe('');
		expect(forPeople('the model is busy; try again')).toBe('The model is busy; try again.');
	});
});
