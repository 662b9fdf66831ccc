/** Where to go after signing in: a path of this site only, never an address somebody put into a link. */
export function safeNext(next: string | null): string {
	if (!next || !next.startsWith('/') || /^\/[/\\]/.test(next)) return '/';
	try {
		const url = new URL(next, 'http://site.invalid');
		return url.host === 'site.invalid' ? url.pathname + url.search + url.hash : '/';
	} catch {
		return '/';
	}
}
