/** Rows of a usage report as stacked columns: one per UTC day, one layer per model. */
import { t } from '$lib/i18n';
import type { UsageRow } from '$lib/api/types';
import { daysBetween } from '$lib/format/time';

export interface Series {
	/** UTC midnights in seconds. */
	days: number[];
	/** The dearest first; what does not fit is summed under "Other". */
	layers: { model: string; values: number[] }[];
}

const LAYERS_MAX = 6;
const other = () => t('usage.other');

export function toSeries(rows: UsageRow[], from: string, to: string): Series {
	const days = daysBetween(from, to);
	const at = new Map(days.map((day, index) => [day, index]));
	const totals = new Map<string, number>();
	for (const row of rows) totals.set(nameOf(row), (totals.get(nameOf(row)) ?? 0) + row.cost_nano);
	const ranked = [...totals].sort((a, b) => b[1] - a[1]).map(([model]) => model);
	const own = ranked.length > LAYERS_MAX ? ranked.slice(0, LAYERS_MAX - 1) : ranked;
	const names = own.length < ranked.length ? [...own, other()] : own;
	const layers = names.map((model) => ({ model, values: days.map(() => 0) }));
	for (const row of rows) {
		const day = at.get((row.day ?? '').slice(0, 10));
		const layer = layers.find((l) => l.model === nameOf(row)) ?? layers.find((l) => l.model === other());
		if (day !== undefined && layer) layer.values[day] = (layer.values[day] ?? 0) + row.cost_nano;
	}
	return { days: days.map((day) => Date.parse(`${day}T00:00:00Z`) / 1000), layers };
}

function nameOf(row: UsageRow): string {
	return row.model ?? t('usage.unknown');
}

/** Each layer on top of those before it; the last one is the whole. */
export function stacked(series: Series): number[][] {
	const sums = series.days.map(() => 0);
	return series.layers.map(({ values }) =>
		values.map((value, day) => (sums[day] = (sums[day] ?? 0) + value))
	);
}

/** The report's rows summed by model, the dearest first. */
export function byModel(rows: UsageRow[]): UsageRow[] {
	const sums = new Map<string, UsageRow>();
	for (const row of rows) {
		const sum = sums.get(nameOf(row)) ?? {
			model: nameOf(row),
			requests: 0,
			input_tokens: 0,
			output_tokens: 0,
			cost_nano: 0
		};
		sum.requests += row.requests;
		sum.input_tokens += row.input_tokens;
		sum.output_tokens += row.output_tokens;
		sum.cost_nano += row.cost_nano;
		sums.set(nameOf(row), sum);
	}
	return [...sums.values()].sort((a, b) => b.cost_nano - a.cost_nano);
}
