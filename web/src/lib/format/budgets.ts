/** What budgets are called, as keys of the catalogue. */
import type { PlainKey } from '$lib/i18n';
import type { BudgetScope, BudgetWindow } from '$lib/api/types';

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
