import { describe, expect, it } from 'vitest';
import type { Entitlements } from '$lib/api/types';
import { leftOf } from './budgets';

const left = (...budgets: number[]) => ({
	remaining_nano: 40,
	budgets: budgets.map((remaining_nano) => ({ remaining_nano })) as Entitlements['budgets']
});

describe('what is left to a person', () => {
	it('is the least of all to whoever may read the wallet, as the last reply said', () => {
		expect(leftOf(left(70), null, true)).toBe(40);
		expect(leftOf(left(70), 30, true)).toBe(30);
	});

	it('is told to others by their budgets alone: the balance of the organisation is not theirs', () => {
		expect(leftOf(left(70, 90), null, false)).toBe(70);
		expect(leftOf(left(), null, false)).toBeNull();
	});

	it('is nothing for everybody once the wallet is empty', () => {
		expect(leftOf({ ...left(70), remaining_nano: 0 }, null, false)).toBe(0);
	});
});
