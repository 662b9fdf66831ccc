import { describe, expect, it } from 'vitest';
import { safeNext } from './next';

describe('safeNext', () => {
	it('keeps paths of this site', () => {
		expect(safeNext('/c/1?a=b#c')).toBe('/c/1?a=b#c');
	});
	it.each([null, '', 'https://evil.example', '//evil.example', '/\\evil.example', '/\t/evil.example', 'javascript:alert(1)'])(
		'goes to the start for %s',
		(next) => expect(safeNext(next)).toBe('/')
	);
});
