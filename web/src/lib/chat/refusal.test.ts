import { describe, expect, it } from 'vitest';
import { describeRefusal } from './refusal';

const admin = { writesWallets: true, writesPrices: true, writesBudgets: true };
const member = { writesWallets: false, writesPrices: false, writesBudgets: false };

describe('refusal', () => {
	it('sends an admin to the top-up and gives a member the words to ask for one', () => {
		const error = { code: 'insufficient_credits', detail: 'The wallet is empty.', status: 402 };
		expect(describeRefusal(error, admin).action).toMatchObject({ kind: 'link', href: '/admin/wallet' });
		expect(describeRefusal(error, member).action).toMatchObject({ kind: 'copy-request' });
	});

	it('says which limit, what is left and when it resets', () => {
		const refusal = describeRefusal(
			{
				code: 'budget_exceeded',
				detail: 'x',
				extra: { scope: 'user', limit_nano: 5_000, spent_nano: 4_000, held_nano: 600, resets_at: '2026-12-01T00:00:00Z' }
			},
			member
		);
		expect(refusal.title).toBe('This would exceed your budget');
		expect(refusal.facts).toEqual([
			{ label: 'Limit', value: '$0.000005' },
			{ label: 'Spent', value: '$0.000004' },
			{ label: 'Held by running replies', value: '$0.0000006' },
			{ label: 'Left', value: '$0.0000004' }
		]);
		expect(refusal.resetsAt).toBe('2026-12-01T00:00:00Z');
	});

	it('names the model whose price is missing', () => {
		const refusal = describeRefusal({ code: 'price_unknown', detail: 'x' }, admin, 'a/b');
		expect(refusal.action).toMatchObject({ href: '/admin/prices?model=a%2Fb' });
	});

	it('says in words, not in calls, who makes an unpriced model answer', () => {
		const detail = 'PUT /api/v1/billing/prices {"model": "a/b"}';
		const shown = describeRefusal({ code: 'price_unknown', detail }, member, 'a/b');
		expect(shown.detail).toContain('a/b answers once an administrator');
		expect(shown.detail).not.toContain('PUT');
	});

	it('calls the limit of an agent a limit, not a fault', () => {
		const detail = 'the run used up its limit of 250000000 nano-USD; what it wrote is kept';
		const refusal = describeRefusal({ code: 'cost_exhausted', detail, status: 402 }, member);
		expect(refusal).toMatchObject({ title: 'The agent reached its limit', tone: 'limit', action: { kind: 'retry' } });
		expect(refusal.detail).toContain('limit of $0.25');
	});

	it('offers another try for a fault', () => {
		const refusal = describeRefusal({ code: 'upstream_failed', detail: 'x', status: 502 }, member);
		expect(refusal).toMatchObject({ tone: 'fault', action: { kind: 'retry' } });
	});
});
