/** "Firefox on Linux" out of a User-Agent; it only helps people to recognise their own sessions. */
import { t } from '$lib/i18n';

const BROWSERS: [RegExp, string][] = [
	[/Edg\//, 'Edge'],
	[/OPR\//, 'Opera'],
	[/Firefox\//, 'Firefox'],
	[/Chrom(e|ium)\//, 'Chrome'],
	[/Safari\//, 'Safari'],
	[/curl\//, 'curl'],
	[/python/i, 'Python']
];

const SYSTEMS: [RegExp, string][] = [
	[/Android/, 'Android'],
	[/iPhone|iPad/, 'iOS'],
	[/Windows/, 'Windows'],
	[/Mac OS X/, 'macOS'],
	[/Linux/, 'Linux']
];

export function browserName(userAgent: string | null): string {
	const find = (table: [RegExp, string][]) => table.find(([pattern]) => pattern.test(userAgent ?? ''))?.[1];
	const browser = find(BROWSERS) ?? t('format.aProgram');
	const system = find(SYSTEMS);
	return system ? t('format.browserOn', { browser, system }) : browser;
}
