import { describe, expect, it } from 'vitest';
import { nextFor, safeNext, signInAddress } from './next';

describe('safeNext', () => {
	it('keeps paths of this site', () => {
		expect(safeNext('/c/1?a=b#c')).toBe('/c/1?a=b#c');
	});
	it.each([
		null,
		'',
		'https://evil.example',
		'//evil.example',
		'/\\evil.example',
		'/\t/evil.example',
		'javascript:alert(1)'
	])('goes to the start for %s', (next) => expect(safeNext(next)).toBe('/'));
});

describe('the page after signing in', () => {
	const query = (address: string) => new URL(address, 'http://site.invalid').searchParams;

	it('is where the session of that person ended', () => {
		const address = signInAddress('/c/1?a=b', 'u1');
		expect(nextFor(query(address), 'u1')).toBe('/c/1?a=b');
		expect(signInAddress('/', 'u1')).toBe('/signin');
	});

	it('is the start for another person', () => {
		expect(nextFor(query(signInAddress('/c/1', 'u1')), 'u2')).toBe('/');
	});

	it('is the address somebody opened before anyone was signed in', () => {
		expect(nextFor(query(signInAddress('/files', null)), 'u2')).toBe('/files');
		expect(nextFor(query('/signin?next=//evil.example'), 'u2')).toBe('/');
	});
});
