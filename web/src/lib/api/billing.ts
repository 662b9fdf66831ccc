/** Money: /api/v1/billing. */
import { call, idempotencyKey } from './client';
import type {
	Budget,
	BudgetChange,
	Entitlements,
	Page,
	Price,
	PriceChange,
	TopUp,
	UsageReport,
	Wallet
} from './types';

const BILLING = '/api/v1/billing';

export const entitlements = () => call<Entitlements>('GET', `${BILLING}/entitlements`);

export interface UsageQuery {
	from: string;
	to: string;
	group_by: string;
	scope?: 'organisation';
}

export const usage = (query: UsageQuery, signal?: AbortSignal) =>
	call<UsageReport>('GET', `${BILLING}/usage`, { query: { ...query }, signal });

export const listPrices = () => call<Page<Price>>('GET', `${BILLING}/prices`, { query: { limit: 100 } });

export const setPrice = (body: PriceChange) => call<Price>('PUT', `${BILLING}/prices`, { body });

export const listWallets = () => call<Page<Wallet>>('GET', `${BILLING}/wallets`, { query: { limit: 100 } });
export const topUp = (walletId: string, body: { amount: string; note?: string }) =>
	call<TopUp>('POST', `${BILLING}/wallets/${walletId}/top-ups`, { body, headers: idempotencyKey() });

export const listBudgets = () => call<Page<Budget>>('GET', `${BILLING}/budgets`, { query: { limit: 100 } });
export const setBudget = (body: BudgetChange) => call<Budget>('PUT', `${BILLING}/budgets`, { body });
export const deleteBudget = (id: string) => call<void>('DELETE', `${BILLING}/budgets/${id}`);
