/** Calls made as the signed-in user: adds the token, renews it once when it is refused. */
import { session } from '$lib/auth/current.svelte';
import { readJson, send, type Method, type SendOptions } from './http';

export async function fetchAs(method: Method, path: string, options: SendOptions = {}): Promise<Response> {
	const token = await session.token();
	const response = await send(method, path, authorised(options, token));
	if (response.status !== 401) return response;
	const renewed = await session.renew(token ?? undefined);
	if (renewed === null || renewed === token) return response;
	return send(method, path, authorised(options, renewed));
}

export async function call<T>(method: Method, path: string, options: SendOptions = {}): Promise<T> {
	return readJson<T>(await fetchAs(method, path, options));
}

function authorised(options: SendOptions, token: string | null): SendOptions {
	if (token === null) return options;
	return { ...options, headers: { ...options.headers, authorization: `Bearer ${token}` } };
}

/** A key that makes a repeated write count once. Not crypto.randomUUID: that needs https. */
export function newKey(): string {
	const bytes = crypto.getRandomValues(new Uint8Array(16));
	return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

export function idempotencyKey(key = newKey()): Record<string, string> {
	return { 'idempotency-key': key };
}
