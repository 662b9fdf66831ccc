/**
 * Who is signed in. The access token lives in memory only; the refresh token is an HttpOnly cookie this code
 * never sees. Plain logic with its surroundings passed in, so that it is tested without a browser.
 */
import { ApiError } from '$lib/api/errors';
import type { TokenAnswer, User } from '$lib/api/types';

/** A token is renewed this long before it ends, so that a request never starts with one about to expire. */
const RENEW_BEFORE_MS = 30_000;

export interface SessionPorts {
	/** Asks POST /api/v1/auth/refresh; throws ApiError 401 when there is no session to go on with. */
	refresh(): Promise<TokenAnswer>;
	/** Runs the task while no other tab runs one; rotation tolerates two tabs, a lock avoids needing that. */
	exclusive<T>(task: () => Promise<T>): Promise<T>;
	now(): number;
	/** Called with the new user after each change; null after sign-out. */
	changed(user: User | null): void;
}

export class Session {
	#ports: SessionPorts;
	#token: string | null = null;
	#expiresAt = 0;
	#running: Promise<string | null> | null = null;
	/** Counts sign-ins and sign-outs, so that a slow refresh cannot undo a newer decision. */
	#generation = 0;

	constructor(ports: SessionPorts) {
		this.#ports = ports;
	}

	adopt(answer: TokenAnswer): void {
		this.#generation += 1;
		this.#store(answer);
	}

	clear(): void {
		this.#generation += 1;
		this.#forget();
	}

	/** The token to send now, renewed first when it is about to end; null when nobody is signed in. */
	async token(): Promise<string | null> {
		if (this.#token === null) return null;
		if (this.#ports.now() < this.#expiresAt - RENEW_BEFORE_MS) return this.#token;
		return this.renew();
	}

	/**
	 * Gets a new token; callers at the same time share one request.
	 * @param stale the token the server just refused: when it was replaced meanwhile, the replacement is the
	 * answer
	 * @returns null when the session is over
	 */
	renew(stale?: string): Promise<string | null> {
		if (stale !== undefined && this.#token !== null && this.#token !== stale)
			return Promise.resolve(this.#token);
		this.#running ??= this.#renewOnce().finally(() => (this.#running = null));
		return this.#running;
	}

	async #renewOnce(): Promise<string | null> {
		const generation = this.#generation;
		try {
			const answer = await this.#ports.exclusive(() => this.#ports.refresh());
			if (generation !== this.#generation) return this.#token;
			this.#store(answer);
			return answer.access_token;
		} catch (error) {
			if (!(error instanceof ApiError) || (error.status !== 401 && error.status !== 403)) throw error;
			if (generation === this.#generation) this.#forget();
			return this.#token;
		}
	}

	#store(answer: TokenAnswer): void {
		this.#token = answer.access_token;
		this.#expiresAt = this.#ports.now() + answer.expires_in * 1000;
		this.#ports.changed(answer.user);
	}

	#forget(): void {
		this.#token = null;
		this.#expiresAt = 0;
		this.#ports.changed(null);
	}
}
