/** What the signed-in person has left to spend. Null while unknown: billing may be away. */
import { entitlements as read } from '$lib/api/billing';
import type { Entitlements } from '$lib/api/types';
import { identity } from '$lib/auth/current.svelte';
import { leftOf } from '$lib/format/budgets';

class EntitlementState {
	current = $state.raw<Entitlements | null>(null);
	/** What the last reply left; null: as `current` says. */
	#learnt = $state<number | null>(null);

	get remainingNano(): number | null {
		return leftOf(this.current, this.#learnt, identity.can.readWallets);
	}

	/** What the organisation has; null for those whom it does not concern. */
	get walletNano(): number | null {
		return identity.can.readWallets ? (this.current?.wallet.available_nano ?? null) : null;
	}

	async refresh(): Promise<void> {
		try {
			this.current = await read();
			this.#learnt = null;
		} catch {
			// Not worth interrupting anyone: the next reply or visit asks again.
		}
	}

	/**
	 * A reply's usage event says what is left to whoever may know the wallet; others are told of their
	 * budgets.
	 */
	learn(remainingNano: number | null): void {
		if (remainingNano === null || !identity.can.readWallets) void this.refresh();
		else this.#learnt = remainingNano;
	}

	clear(): void {
		this.current = null;
		this.#learnt = null;
	}
}

export const entitlements = new EntitlementState();
