import { describe, expect, it } from 'vitest';
import { bucketOf, daysBetween, formatRelative, formatSpan } from './time';

describe('time', () => {
	it('says spans', () => {
		expect([5, 90, 3_600, 7_500].map(formatSpan)).toEqual(['5 s', '2 min', '1 h', '2 h 5 min']);
	});

	it('says when, from now', () => {
		const now = Date.parse('2026-03-10T12:00:00Z');
		expect(formatRelative('2026-03-10T11:59:50Z', now)).toBe('just now');
		expect(formatRelative('2026-03-10T11:30:00Z', now)).toMatch(/30/);
	});

	it('puts chats under the day they changed', () => {
		const now = new Date(2026, 2, 10, 12);
		const at = (day: number) => new Date(2026, 2, day, 1).toISOString();
		expect([10, 9, 5, -10, -60].map((d) => bucketOf(at(d), now))).toEqual([
			'Today',
			'Yesterday',
			'Previous 7 days',
			'Previous 30 days',
			'Older'
		]);
	});

	it('lists each day of a range over the end of a month', () => {
		expect(daysBetween('2026-02-27', '2026-03-01')).toEqual(['2026-02-27', '2026-02-28', '2026-03-01']);
	});
});
