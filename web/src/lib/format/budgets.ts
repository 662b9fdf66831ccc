import type { BudgetScope, BudgetWindow } from '$lib/api/types';

export const SCOPE_NAMES: Record<BudgetScope, string> = {
	organisation: 'Organisation',
	team: 'Team',
	user: 'Your',
	key: 'Key'
};

export const WINDOW_NAMES: Record<BudgetWindow, string> = {
	hour: 'per hour',
	day: 'per day',
	week: 'per week',
	month: 'per month',
	total: 'in total'
};
