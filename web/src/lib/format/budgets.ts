/** What budgets are called, as keys of the catalogue. */
import type { PlainKey } from '$lib/i18n';
import type { BudgetScope, BudgetWindow, Entitlements } from '$lib/api/types';

export const SCOPE_NAMES: Record<BudgetScope, PlainKey> = {
	organisation: 'usage.organisationBudget',
	team: 'usage.teamBudget',
	user: 'usage.yourBudget',
	key: 'usage.keyBudget'
};

export const SCOPE_USED: Record<BudgetScope, PlainKey> = {
	organisation: 'usage.usedOfOrganisation',
	team: 'usage.usedOfTeam',
	user: 'usage.usedOfUser',
	key: 'usage.usedOfKey'
};

export const WINDOW_NAMES: Record<BudgetWindow, PlainKey> = {
	hour: 'usage.perHour',
	day: 'usage.perDay',
	week: 'usage.perWeek',
	month: 'usage.perMonth',
	total: 'usage.inTotal'
};

/**
 * What a person has left, in nano-dollars: their budgets, and for those who may read the wallet that too. To
 * others the organisation's balance is nobody's business, but that it is empty. Null: unknown, or no budget
 * limits them.
 * @param learnt what a reply said since, of all together
 */
export function leftOf(
	current: Pick<Entitlements, 'budgets' | 'remaining_nano'> | null,
	learnt: number | null,
	readsWallet: boolean
): number | null {
	if (!current) return null;
	const all = learnt ?? current.remaining_nano;
	if (readsWallet || all <= 0) return all;
	const own = current.budgets.map((budget) => budget.remaining_nano);
	return own.length > 0 ? Math.min(...own) : null;
}
