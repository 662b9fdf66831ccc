import { describe, expect, it } from 'vitest';
import type { UsageRow } from '$lib/api/types';
import { byModel, stacked, toSeries } from './series';

const row = (day: string, model: string, cost_nano: number): UsageRow => ({
	day,
	model,
	requests: 1,
	input_tokens: 2,
	output_tokens: 3,
	cost_nano
});

describe('usage series', () => {
	const rows = [row('2026-01-01', 'a', 1), row('2026-01-03', 'b', 5), row('2026-01-03T00:00:00Z', 'a', 2)];

	it('has a column for each day, also the empty ones, and the dearest model first', () => {
		const series = toSeries(rows, '2026-01-01', '2026-01-03');
		expect(series.days).toHaveLength(3);
		expect(series.layers).toEqual([
			{ model: 'b', values: [0, 0, 5] },
			{ model: 'a', values: [1, 0, 2] }
		]);
		expect(stacked(series)).toEqual([
			[0, 0, 5],
			[1, 0, 7]
		]);
	});

	it('sums what does not fit, and loses nothing', () => {
		const many = Array.from({ length: 9 }, (_, i) => row('2026-01-01', `m${i}`, i + 1));
		const series = toSeries(many, '2026-01-01', '2026-01-01');
		expect(series.layers).toHaveLength(6);
		expect(series.layers.at(-1)?.model).toBe('Other');
		expect(stacked(series).at(-1)).toEqual([45]);
	});

	it('sums by model', () => {
		expect(byModel(rows).map((r) => [r.model, r.requests, r.cost_nano])).toEqual([
			['b', 1, 5],
			['a', 2, 3]
		]);
	});
});
