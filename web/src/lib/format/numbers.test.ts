import { afterEach, expect, it } from 'vitest';
import { GERMAN } from '$lib/i18n/de';
import { ENGLISH, useLanguage } from '$lib/i18n';
import { formatBytes, formatDecimal } from './numbers';

afterEach(() => useLanguage(ENGLISH));

it.each([
	[0, '0 B'],
	[25, '25 B'],
	[999, '999 B'],
	[1_000, '1 kB'],
	[999_499, '999 kB'],
	[999_500, '1 MB'],
	[49_800_000, '49.8 MB'],
	[250_000_000, '250 MB'],
	[1_500_000_000, '1.5 GB']
])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

it('places after the point are written as the language does', () => {
	expect(formatDecimal(0.77, 3)).toBe('0.770');
	useLanguage(GERMAN);
	expect(formatDecimal(0.77, 3)).toBe('0,770');
});
