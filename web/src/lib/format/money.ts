/**
 * Money as the ledger has it: integer nano-dollars. BigInt all the way, because a float would show a
 * different amount from the one that was charged.
 */
import { languageTag } from '$lib/i18n';

export const NANO = 1_000_000_000n;
const PLACES = 9;

export type Nano = number | bigint;

export function toNano(value: Nano): bigint {
	return typeof value === 'bigint' ? value : BigInt(Math.trunc(value));
}

function digits(nano: bigint): { sign: string; whole: string; fraction: string } {
	const size = nano < 0n ? -nano : nano;
	return {
		sign: nano < 0n ? '-' : '',
		whole: (size / NANO).toString(),
		fraction: (size % NANO).toString().padStart(PLACES, '0')
	};
}

/** Rounds half away from zero to so many decimal places. */
function roundTo(nano: bigint, places: number): bigint {
	const unit = 10n ** BigInt(PLACES - places);
	const size = nano < 0n ? -nano : nano;
	const rounded = ((size + unit / 2n) / unit) * unit;
	return nano < 0n ? -rounded : rounded;
}

interface Style {
	group: string;
	decimal: string;
	signFirst: boolean;
}

const styles = new Map<string, Style>();

/** How the language writes amounts. */
function style(): Style {
	const tag = languageTag();
	const known = styles.get(tag);
	if (known) return known;
	const parts = new Intl.NumberFormat(tag, { style: 'currency', currency: 'USD' }).formatToParts(
		1_234_567.8
	);
	const of = (type: string) => parts.find((part) => part.type === type)?.value;
	const found = {
		group: of('group') ?? ',',
		decimal: of('decimal') ?? '.',
		signFirst: parts[0]?.type === 'currency'
	};
	styles.set(tag, found);
	return found;
}

function written(sign: string, whole: string, fraction: string): string {
	const { group, decimal, signFirst } = style();
	const amount = `${whole.replace(/\B(?=(\d{3})+$)/g, group)}${decimal}${fraction}`;
	return signFirst ? `${sign}$${amount}` : `${sign}${amount}\u00a0$`;
}

/** How many decimals show an amount with three meaningful digits, at least cents. */
function placesFor(nano: bigint): number {
	const { whole, fraction } = digits(nano);
	if (whole !== '0') return 2;
	const leading = fraction.search(/[1-9]/);
	return leading < 0 ? 2 : Math.min(PLACES, Math.max(2, leading + 3));
}

/** "$12.50", "$0.0042", "$0.000004": rounded to what a reader needs. */
export function formatNano(value: Nano): string {
	const nano = toNano(value);
	if (nano === 0n) return written('', '0', '00');
	const places = placesFor(nano);
	const { sign, whole, fraction } = digits(roundTo(nano, places));
	const kept = fraction.slice(0, places).replace(/0+$/, '').padEnd(2, '0');
	return written(sign, whole, kept);
}

/** All nine places where they are used: for tooltips and tables that must add up. */
export function formatNanoExact(value: Nano): string {
	const { sign, whole, fraction } = digits(toNano(value));
	return written(sign, whole, fraction.replace(/0+$/, '').padEnd(2, '0'));
}

/**
 * "0.15" or "0,15" -> nano. Null when it is not an exact non-negative amount of at most nine decimals, and
 * for "1,000" in a language that means a thousand by it.
 */
export function parseAmount(text: string): bigint | null {
	const match = /^\s*\$?\s*(\d{1,12})(?:([.,])(\d{1,9}))?\s*\$?\s*$/.exec(text);
	if (!match || (match[2] === ',' && match[3]?.length === 3 && style().decimal !== ',')) return null;
	return BigInt(match[1] ?? '0') * NANO + BigInt((match[3] ?? '').padEnd(PLACES, '0'));
}

/** nano -> "0.15": the decimal string the API takes. */
export function nanoToDecimal(value: Nano): string {
	const { sign, whole, fraction } = digits(toNano(value));
	const kept = fraction.replace(/0+$/, '');
	return `${sign}${whole}${kept ? `.${kept}` : ''}`;
}

/** nano -> "0.15" or "0,15": as the person would type it into a field; whole amounts with their cents. */
export function nanoToTyped(value: Nano): string {
	const [whole = '', fraction = ''] = nanoToDecimal(value).split('.');
	return `${whole}${style().decimal}${fraction.padEnd(2, '0')}`;
}

/** Share of a limit that is used, 0..1; a zero limit counts as used up. */
export function shareUsed(spent: Nano, limit: Nano): number {
	const total = toNano(limit);
	if (total <= 0n) return 1;
	const permille = (toNano(spent) * 1000n) / total;
	return Math.min(1, Math.max(0, Number(permille) / 1000));
}
