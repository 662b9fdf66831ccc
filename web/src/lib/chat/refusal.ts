/** Turns a failed reply into what its reader needs: which limit, what is left, when it resets, one thing to do. */
import type { ProblemExtras, ReplyError } from '$lib/api/types';
import { formatNano } from '$lib/format/money';
import { asSentence } from '$lib/format/sentence';

export type RefusalAction =
	| { kind: 'link'; label: string; href: string }
	| { kind: 'switch-model'; label: string }
	| { kind: 'copy-request'; label: string; text: string }
	| { kind: 'retry'; label: string };

export interface Refusal {
	title: string;
	detail: string;
	facts: { label: string; value: string }[];
	resetsAt: string | null;
	action: RefusalAction;
	/** A limit (calm, amber) or a fault (red). */
	tone: 'limit' | 'fault';
}

export interface Reader {
	writesWallets: boolean;
	writesPrices: boolean;
	writesBudgets: boolean;
}

const SCOPES: Record<string, string> = {
	organisation: "your organisation's budget",
	team: "your team's budget",
	user: 'your budget',
	key: "this key's budget",
	wallet: 'the wallet'
};

function facts(extra: ProblemExtras): Refusal['facts'] {
	const out: Refusal['facts'] = [];
	if (typeof extra.limit_nano === 'number') out.push({ label: 'Limit', value: formatNano(extra.limit_nano) });
	if (typeof extra.spent_nano === 'number') out.push({ label: 'Spent', value: formatNano(extra.spent_nano) });
	const held = extra.held_nano ?? 0;
	if (held > 0) out.push({ label: 'Held by running replies', value: formatNano(held) });
	const left = remaining(extra);
	if (left !== null) out.push({ label: 'Left', value: formatNano(left) });
	return out;
}

function remaining(extra: ProblemExtras): number | null {
	if (typeof extra.remaining_nano === 'number') return Math.max(0, extra.remaining_nano);
	if (typeof extra.limit_nano !== 'number' || typeof extra.spent_nano !== 'number') return null;
	return Math.max(0, extra.limit_nano - extra.spent_nano - (extra.held_nano ?? 0));
}

function request(what: string, error: ReplyError): RefusalAction {
	const text = `Hello, Atrium refused my message: ${asSentence(error.detail)} Could you ${what}?`;
	return { kind: 'copy-request', label: 'Copy a request for your admin', text };
}

function link(label: string, href: string): RefusalAction {
	return { kind: 'link', label, href };
}

function modelQuery(extra: ProblemExtras, model: string | null): string {
	const id = extra.model ?? model;
	return id ? `?model=${encodeURIComponent(id)}` : '';
}

export function describeRefusal(error: ReplyError, reader: Reader, model: string | null = null): Refusal {
	const extra = error.extra ?? {};
	const base = { detail: asSentence(error.detail), facts: facts(extra), resetsAt: extra.resets_at ?? null };
	switch (error.code) {
		case 'insufficient_credits':
			return {
				...base,
				title: 'Out of credit',
				tone: 'limit',
				action: reader.writesWallets ? link('Top up the wallet', '/admin/wallet') : request('top up our wallet', error)
			};
		case 'budget_exceeded':
			return {
				...base,
				title: `This would exceed ${SCOPES[extra.scope ?? ''] ?? 'a budget'}`,
				tone: 'limit',
				action: reader.writesBudgets ? link('Change the budget', '/admin/wallet#budgets') : request('raise the budget', error)
			};
		case 'price_unknown':
			return {
				...base,
				detail: priceDetail(extra.model ?? model, reader),
				title: 'This model has no price yet',
				tone: 'limit',
				action: reader.writesPrices
					? link('Set a price', `/admin/prices${modelQuery(extra, model)}`)
					: { kind: 'switch-model', label: 'Switch model' }
			};
		case 'model_not_allowed':
		case 'model_not_found':
			return {
				...base,
				title: 'This model is not available to you',
				tone: 'limit',
				action: { kind: 'switch-model', label: 'Switch model' }
			};
		case 'rate_limited':
		case 'rate_limit_exceeded':
		case 'too_many_requests':
			return { ...base, title: 'Too fast', tone: 'limit', action: { kind: 'retry', label: 'Try again' } };
		case 'steps_exhausted':
		case 'tokens_exhausted':
		case 'cost_exhausted':
		case 'run_too_long':
			return { ...base, title: 'The agent reached its limit', tone: 'limit', action: { kind: 'retry', label: 'Try again' } };
		case 'tool_loop':
			return { ...base, title: 'The agent went round in circles', tone: 'limit', action: { kind: 'retry', label: 'Try again' } };
		default:
			return { ...base, title: faultTitle(error), tone: 'fault', action: { kind: 'retry', label: 'Try again' } };
	}
}

/** The API's own text names the call that sets a price; people here have a page for it. */
function priceDetail(model: string | null, reader: Reader): string {
	const name = model ?? 'It';
	return reader.writesPrices
		? `${name} answers once it has a price or is marked free.`
		: `${name} answers once an administrator has set its price or marked it free. Your message is kept.`;
}

function faultTitle(error: ReplyError): string {
	if (error.code === 'network_unreachable') return 'No connection';
	if (error.code === 'model_loading') return 'The model is still loading';
	return 'The reply failed';
}
