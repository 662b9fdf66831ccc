import { describe, expect, it } from 'vitest';
import { GERMAN } from '$lib/i18n/de';
import { ENGLISH, useLanguage } from '$lib/i18n';
import { formatNano, formatNanoExact, nanoToDecimal, nanoToTyped, parseAmount, shareUsed } from './money';

describe('formatNano', () => {
	it.each([
		[0, '$0.00'],
		[1, '$0.000000001'],
		[4_000, '$0.000004'],
		[4_123, '$0.00000412'],
		[4_125, '$0.00000413'],
		[1_234_567, '$0.00123'],
		[42_000_000, '$0.042'],
		[500_000_000, '$0.50'],
		[999_999_999, '$1.00'],
		[1_000_000_000, '$1.00'],
		[12_345_678_901, '$12.35'],
		[1_234_567_000_000_000, '$1,234,567.00'],
		[-4_000, '-$0.000004'],
		[9_007_199_254_740_993n, '$9,007,199.25']
	])('%s nano reads %s', (nano, text) => {
		expect(formatNano(nano)).toBe(text);
	});
});

describe('exact amounts', () => {
	it('shows every used place', () => {
		expect(formatNanoExact(1_234_567_891n)).toBe('$1.234567891');
		expect(formatNanoExact(5_000_000_000n)).toBe('$5.00');
	});

	it('come back from their decimal string unchanged', () => {
		let seed = 7n;
		for (let i = 0; i < 2_000; i += 1) {
			seed = (seed * 6364136223846793005n + 1442695040888963407n) & ((1n << 62n) - 1n);
			const nano = seed >> BigInt(i % 40);
			expect(parseAmount(nanoToDecimal(nano))).toBe(nano);
		}
	});
});

describe('parseAmount', () => {
	it.each([
		['10', 10_000_000_000n],
		['$0.15', 150_000_000n],
		[' 0.000000001 ', 1n],
		['0,15', 150_000_000n],
		['2,5', 2_500_000_000n]
	])('takes %s', (text, nano) => expect(parseAmount(text)).toBe(nano));

	it.each(['', '-1', '1e3', '0.0000000001', '1,000', 'abc', '.5', '1.'])('refuses "%s"', (text) =>
		expect(parseAmount(text)).toBeNull()
	);
});

describe('shareUsed', () => {
	it('stays between nothing and all', () => {
		expect(shareUsed(5, 10)).toBe(0.5);
		expect(shareUsed(20, 10)).toBe(1);
		expect(shareUsed(1, 0)).toBe(1);
	});
});

describe('an amount in a field', () => {
	it('stands there as the person would type it', () => {
		expect([5_000_000_000n, 125_000_000n].map(nanoToTyped)).toEqual(['5.00', '0.125']);
		useLanguage(GERMAN);
		expect([5_000_000_000n, 125_000_000n].map(nanoToTyped)).toEqual(['5,00', '0,125']);
		expect(parseAmount(nanoToTyped(125_000_000n))).toBe(125_000_000n);
		useLanguage(ENGLISH);
	});
});
