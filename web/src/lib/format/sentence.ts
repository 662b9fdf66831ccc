import { formatNano } from './money';
import { formatBytes } from './numbers';

/** Services count exactly, in bytes and nano-dollars; people read sizes and prices. */
function inUnits(text: string): string {
	const priced = text.replace(/\b(\d+) nano-USD\b/g, (_, nano: string) => formatNano(Number(nano)));
	if (!/\b\d{4,} bytes\b/.test(priced)) return priced;
	return priced.replace(/\b(\d{4,}) bytes\b/g, (_, size: string) => formatBytes(Number(size))).replace(/\b\d{5,}\b/g, (size) => formatBytes(Number(size)));
}

/** A service's message as a sentence of the page: it begins with a capital and ends with a stop. */
export function asSentence(text: string): string {
	const trimmed = inUnits(text.trim());
	if (trimmed === '') return '';
	const ended = /[.!?…:)\]}"'`]$/.test(trimmed) ? trimmed : `${trimmed}.`;
	return ended.charAt(0).toUpperCase() + ended.slice(1);
}
