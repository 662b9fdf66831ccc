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

/** The sign-in page for somebody whose session ended at `here`; `whose` is null when nobody was signed in. */
export function signInAddress(here: string, whose: string | null): string {
	if (here === '/') return '/signin';
	return `/signin?${new URLSearchParams(whose === null ? { next: here } : { next: here, of: whose }).toString()}`;
}

/** Where the person who signed in goes: the page another person was on is not theirs. */
export function nextFor(query: URLSearchParams, personId: string): string {
	const whose = query.get('of');
	return whose === null || whose === personId ? safeNext(query.get('next')) : '/';
}
