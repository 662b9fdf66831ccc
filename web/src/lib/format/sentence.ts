import { t } from '$lib/i18n';
import { formatNano } from './money';
import { formatBytes } from './numbers';

/** Services count exactly, in bytes and nano-dollars; people read sizes and prices. */
function inUnits(text: string): string {
	const priced = text.replace(/\b(\d+) nano-USD\b/g, (_, nano: string) => formatNano(Number(nano)));
	if (!/\b\d{4,} bytes\b/.test(priced)) return priced;
	return priced
		.replace(/\b(\d{4,}) bytes\b/g, (_, size: string) => formatBytes(Number(size)))
		.replace(/\b\d{5,}\b/g, (size) => formatBytes(Number(size)));
}

/** Calls and commands: services tell them to programs and operators; a page has buttons instead. */
const CALLS = /(?:^|[\s(`"'])\/(?:api|v1|internal)\/\S|\b(?:GET|POST|PUT|PATCH|DELETE) \/|`make [\w-]+/;
/** Addresses and names of settings: of use only to those who run the installation. */
const INSIDES = /https?:\/\/|\b[\w.-]+:\d{2,5}\b|\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b(?!\.\w)/;

/** Takes out the clauses that hold any of these; the rest stands as it was written. */
function without(text: string, unwanted: RegExp): string {
	if (!unwanted.test(text)) return text;
	const clauses = text.split(/(?<=[;.!?])\s+/).filter((clause) => !unwanted.test(clause));
	return clauses.join(' ').replace(/[;,]$/, '');
}

/** A service's message as a sentence of the page: it begins with a capital and ends with a stop. */
export function asSentence(text: string): string {
	const trimmed = inUnits(text.trim());
	if (trimmed === '') return '';
	const said = without(trimmed, CALLS) || t('format.theServerRefusedThis');
	const ended = /[.!?…:)\]}"'`]$/.test(said) ? said : `${said}.`;
	return ended.charAt(0).toUpperCase() + ended.slice(1);
}

/** The same for people who do not run the installation; empty when nothing of it is for them. */
export function forPeople(text: string): string {
	return asSentence(without(text.trim(), INSIDES));
}
