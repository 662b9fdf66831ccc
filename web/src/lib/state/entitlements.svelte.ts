/** What the signed-in person has left to spend. Null while unknown: billing may be away. */
import { entitlements as read } from '$lib/api/billing';
import type { Entitlements } from '$lib/api/types';

const FRESH_MS = 60_000;

class EntitlementState {
	current = $state.raw<Entitlements | null>(null);
	remainingNano = $state<number | null>(null);
	#readAt = 0;

	async refresh(): Promise<void> {
		try {
			this.current = await read();
			this.remainingNano = this.current.remaining_nano;
			this.#readAt = Date.now();
		} catch {
			// Not worth interrupting anyone: the next reply or visit asks again.
			this.#readAt = 0;
		}
	}

	async refreshIfStale(): Promise<void> {
		if (Date.now() - this.#readAt > FRESH_MS) await this.refresh();
	}

	/** A reply's usage event says what is left without another request. */
	learn(remainingNano: number | null): void {
		if (remainingNano !== null) this.remainingNano = remainingNano;
	}

	clear(): void {
		this.current = null;
		this.remainingNano = null;
		this.#readAt = 0;
	}
}

export const entitlements = new EntitlementState();
