/** Points in time and spans, as people say them. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "in 40 s", "3 min", "2 h 5 min": a span for people who wait. */
export function formatSpan(seconds: number): string {
	const s = Math.max(0, Math.round(seconds));
	if (s < MINUTE) return `${s} s`;
	if (s < HOUR) return `${Math.round(s / MINUTE)} min`;
	const hours = Math.floor(s / HOUR);
	const minutes = Math.round((s % HOUR) / MINUTE);
	return minutes > 0 ? `${hours} h ${minutes} min` : `${hours} h`;
}

/** "just now", "5 minutes ago", "in 3 days", in the reader's language. */
export function formatRelative(iso: string, now: number = Date.now()): string {
	const seconds = Math.round((new Date(iso).getTime() - now) / 1000);
	const size = Math.abs(seconds);
	const words = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });
	if (size < 45) return 'just now';
	if (size < HOUR) return words.format(Math.round(seconds / MINUTE), 'minute');
	if (size < DAY) return words.format(Math.round(seconds / HOUR), 'hour');
	if (size < 45 * DAY) return words.format(Math.round(seconds / DAY), 'day');
	return formatDate(iso);
}

export function formatDate(iso: string): string {
	return new Date(iso).toLocaleDateString(undefined, { year: 'numeric', month: 'short', day: 'numeric' });
}

export function formatDateTime(iso: string): string {
	return new Date(iso).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

export type Bucket = 'Today' | 'Yesterday' | 'Previous 7 days' | 'Previous 30 days' | 'Older';

/** The heading a chat is listed under; days change at the reader's midnight. */
export function bucketOf(iso: string, now: Date = new Date()): Bucket {
	const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
	const at = new Date(iso).getTime();
	const day = DAY * 1000;
	if (at >= midnight) return 'Today';
	if (at >= midnight - day) return 'Yesterday';
	if (at >= midnight - 7 * day) return 'Previous 7 days';
	if (at >= midnight - 30 * day) return 'Previous 30 days';
	return 'Older';
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
