/** Points in time and spans, as people say them. */
import { languageTag, t } from '$lib/i18n';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "in 40 s", "3 min", "2 h 5 min": a span for people who wait. */
export function formatSpan(seconds: number): string {
	const s = Math.max(0, Math.round(seconds));
	if (s < MINUTE) return t('format.seconds', { count: s });
	if (s < HOUR) return t('format.minutes', { count: Math.round(s / MINUTE) });
	const hours = Math.floor(s / HOUR);
	const minutes = Math.round((s % HOUR) / MINUTE);
	return minutes > 0 ? t('format.hoursMinutes', { hours, minutes }) : t('format.hours', { count: hours });
}

/** "just now", "5 minutes ago", "in 3 days", in the reader's language. */
export function formatRelative(iso: string, now: number = Date.now()): string {
	const seconds = Math.round((new Date(iso).getTime() - now) / 1000);
	const size = Math.abs(seconds);
	const words = new Intl.RelativeTimeFormat(languageTag(), { numeric: 'auto' });
	if (size < 45) return t('format.justNow');
	if (size < HOUR) return words.format(Math.round(seconds / MINUTE), 'minute');
	if (size < DAY) return words.format(Math.round(seconds / HOUR), 'hour');
	if (size < 45 * DAY) return words.format(Math.round(seconds / DAY), 'day');
	return formatDate(iso);
}

export function formatDate(iso: string): string {
	return new Date(iso).toLocaleDateString(languageTag(), {
		year: 'numeric',
		month: 'short',
		day: 'numeric'
	});
}

export function formatDateTime(iso: string): string {
	return new Date(iso).toLocaleString(languageTag(), { dateStyle: 'medium', timeStyle: 'short' });
}

/** The heading a chat is listed under; days change at the reader's midnight. */
export function bucketOf(iso: string, now: Date = new Date()): string {
	const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
	const at = new Date(iso).getTime();
	const day = DAY * 1000;
	if (at >= midnight) return t('format.today');
	if (at >= midnight - day) return t('format.yesterday');
	if (at >= midnight - 7 * day) return t('format.previous7Days');
	if (at >= midnight - 30 * day) return t('format.previous30Days');
	return t('format.older');
}

/** Every UTC day from the first to the last, as YYYY-MM-DD. */
export function daysBetween(first: string, last: string): string[] {
	const out: string[] = [];
	const end = Date.parse(`${last}T00:00:00Z`);
	for (let at = Date.parse(`${first}T00:00:00Z`); at <= end && out.length < 400; at += DAY * 1000) {
		out.push(new Date(at).toISOString().slice(0, 10));
	}
	return out;
}

export function utcDay(at: Date): string {
	return at.toISOString().slice(0, 10);
}
