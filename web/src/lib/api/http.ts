/** The lowest layer: one fetch, its failure as an ApiError. Knows nothing of who is signed in. */
import { errorFromResponse, isAbort, networkError } from './errors';
import { whenShown } from './page-life';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export type Query = Record<string, string | number | boolean | null | undefined>;

export interface SendOptions {
	/** Sent as JSON. */
	body?: unknown;
	/** Sent as it is, instead of a body. */
	raw?: Blob;
	query?: Query;
	signal?: AbortSignal;
	headers?: Record<string, string>;
	/** Lets the request outlive the page (used when a tab closes). */
	keepalive?: boolean;
}

export function withQuery(path: string, query: SendOptions['query']): string {
	const pairs = Object.entries(query ?? {}).filter(
		([, value]) => value !== null && value !== undefined && value !== ''
	);
	if (pairs.length === 0) return path;
	return `${path}?${new URLSearchParams(pairs.map(([key, value]) => [key, String(value)])).toString()}`;
}

/** @returns the response whatever its status; throws ApiError only when the server did not answer */
export async function send(method: Method, path: string, options: SendOptions = {}): Promise<Response> {
	const headers: Record<string, string> = { accept: 'application/json', ...options.headers };
	if (options.body !== undefined) headers['content-type'] = 'application/json';
	try {
		return await fetch(withQuery(path, options.query), {
			method,
			headers,
			body: options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body)),
			signal: options.signal,
			keepalive: options.keepalive,
			credentials: 'same-origin',
			cache: 'no-store'
		});
	} catch (error) {
		if (isAbort(error)) throw error;
		await whenShown();
		throw networkError();
	}
}

/** The body of a successful answer; an empty one is undefined. */
export async function readJson<T>(response: Response): Promise<T> {
	if (!response.ok) throw await errorFromResponse(response);
	const text = await response.text();
	return (text === '' ? undefined : JSON.parse(text)) as T;
}
