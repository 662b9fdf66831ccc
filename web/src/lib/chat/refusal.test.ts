import { describe, expect, it } from 'vitest';
import { describeRefusal } from './refusal';

const admin = { writesWallets: true, writesPrices: true, writesBudgets: true, administers: true };
const member = { writesWallets: false, writesPrices: false, writesBudgets: false, administers: false };

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
				extra: {
					scope: 'user',
					limit_nano: 5_000,
					spent_nano: 4_000,
					held_nano: 600,
					resets_at: '2026-12-01T00:00:00Z'
				}
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
		expect(refusal).toMatchObject({
			title: 'The agent reached its limit',
			tone: 'limit',
			action: { kind: 'retry' }
		});
		expect(refusal.detail).toContain('limit of $0.25');
	});

	it('offers another try for a fault', () => {
		const refusal = describeRefusal({ code: 'upstream_failed', detail: 'x', status: 502 }, member);
		expect(refusal).toMatchObject({ tone: 'fault', action: { kind: 'retry' } });
	});

	it('offers only what the person can do, as the service says it', () => {
		const extra = {
			action: { kind: 'ask_admin', label: 'Ask for more' },
			upgrade_url: 'http://x/admin/wallet',
			scope: 'user'
		};
		for (const code of ['budget_exceeded', 'insufficient_credits', 'price_unknown']) {
			const { action } = describeRefusal({ code, detail: 'x', extra }, member, 'm');
			expect(action.kind).toBe(code === 'price_unknown' ? 'switch-model' : 'copy-request');
			expect(JSON.stringify(action)).not.toContain('/admin');
			// Even a page that believes it may: the service knows better.
			expect(describeRefusal({ code, detail: 'x', extra }, admin, 'm').action).toEqual(
				describeRefusal({ code, detail: 'x' }, member, 'm').action
			);
		}
	});

	it('says who can change a limit to those who cannot', () => {
		expect(
			describeRefusal(
				{ code: 'budget_exceeded', detail: 'x', extra: { action: { kind: 'ask_admin' } } },
				member
			).whom
		).toBe('An administrator of this Atrium');
		expect(describeRefusal({ code: 'budget_exceeded', detail: 'x' }, member).whom).toBe(
			'An administrator of this Atrium'
		);
		expect(
			describeRefusal(
				{ code: 'budget_exceeded', detail: 'x', extra: { action: { kind: 'change_limit' } } },
				admin
			).whom
		).toBeNull();
	});

	it('says what the request needs', () => {
		const { facts } = describeRefusal(
			{
				code: 'insufficient_credits',
				detail: 'x',
				extra: { required_nano: 41_000, remaining_nano: 0 }
			},
			member
		);
		expect(facts).toContainEqual({ label: 'Needed at least', value: '$0.000041' });
	});

	it('shows nobody a route, and people who do not administer neither addresses nor names of settings', () => {
		const detail =
			'the provider at http://10.0.0.7:8080/v1 refused the key; set OPENAI_API_KEYS; PUT /api/v1/billing/budgets changes it; your message is kept';
		for (const code of ['provider_auth_failed', 'provider_error', 'budget_exceeded', 'something_new']) {
			const shown = JSON.stringify(describeRefusal({ code, detail, status: 502 }, member));
			expect(shown).not.toMatch(/10\.0\.0\.7|OPENAI_API_KEYS|\/api\/v1|PUT/);
		}
		const shown = describeRefusal({ code: 'provider_error', detail, status: 502 }, admin).detail;
		expect(shown).toContain('10.0.0.7');
		expect(shown).not.toContain('/api/v1/billing');
	});

	it('knows the faults of providers by their code', () => {
		const about = (code: string) => describeRefusal({ code, detail: 'x', status: 502 }, member);
		expect(about('provider_quota_exhausted')).toMatchObject({
			title: "The model's provider has no credit left",
			action: { kind: 'switch-model' }
		});
		expect(about('context_length_exceeded')).toMatchObject({
			tone: 'limit',
			action: { kind: 'switch-model' }
		});
		expect(about('billing_unavailable')).toMatchObject({
			action: { kind: 'retry' },
			detail: expect.stringContaining('Nothing was charged')
		});
		expect(about('account_suspended')).toMatchObject({ tone: 'limit', action: { kind: 'copy-request' } });
		expect(about('role_changed')).toMatchObject({
			title: 'Your role no longer permits this',
			action: { kind: 'copy-request' }
		});
		expect(about('agent_unavailable')).toMatchObject({
			title: 'Not possible just now',
			detail: 'Your message is kept. Try again in a moment.'
		});
		expect(about('agents_busy')).toMatchObject({ tone: 'limit', action: { kind: 'retry' } });
	});
});
