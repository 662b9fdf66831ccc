/** Counts and sizes. */
import { languageTag } from '$lib/i18n';

export function formatCount(value: number): string {
	return value.toLocaleString(languageTag());
}

/** So many places, as the language writes them: a score, a duration. */
export function formatDecimal(value: number, places: number): string {
	const digits = { minimumFractionDigits: places, maximumFractionDigits: places };
	return new Intl.NumberFormat(languageTag(), digits).format(value);
}

function decimal(value: number, minimumFractionDigits: number): string {
	const digits = { minimumFractionDigits, maximumFractionDigits: 1 };
	return new Intl.NumberFormat(languageTag(), digits).format(value);
}

export function formatBytes(bytes: number): string {
	if (bytes < 1_000) return `${Math.max(0, Math.round(bytes))} B`;
	if (bytes < 999_500) return `${Math.round(bytes / 1_000)} kB`;
	if (bytes < 100_000_000) return `${decimal(bytes / 1_000_000, 0)} MB`;
	if (bytes < 1_000_000_000) return `${Math.round(bytes / 1_000_000)} MB`;
	return `${decimal(bytes / 1_000_000_000, 1)} GB`;
}

/** "a, b and c" in the reader's language. */
export function listOf(items: string[]): string {
	return new Intl.ListFormat(languageTag()).format(items);
}

/** "33K", "1.2M": for sizes that nobody counts exactly. */
export function formatCompact(value: number): string {
	return new Intl.NumberFormat(languageTag(), { notation: 'compact', maximumFractionDigits: 1 }).format(
		value
	);
}
