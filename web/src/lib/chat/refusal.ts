/** Turns a failed reply into what its reader needs: which limit, what is left, when it resets, one thing to do. */
import type { ProblemExtras, ReplyError } from '$lib/api/types';
import { formatNano } from '$lib/format/money';
import { asSentence, forPeople } from '$lib/format/sentence';
import { faultOf } from './faults';

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
	/** Whom to ask, where only others can change it. */
	whom: string | null;
	action: RefusalAction;
	/** A limit (calm, amber) or a fault (red). */
	tone: 'limit' | 'fault';
}

export interface Reader {
	writesWallets: boolean;
	writesPrices: boolean;
	writesBudgets: boolean;
	/** Runs the installation: addresses and names of settings are of use. */
	administers: boolean;
}

const SCOPES: Record<string, string> = {
	organisation: "your organisation's budget",
	team: "your team's budget",
	user: 'your budget',
	key: "this key's budget",
	wallet: 'the wallet'
};

const ENDED = {
	account_suspended: 'Your account is suspended',
	role_changed: 'Your role no longer permits this',
	key_revoked: 'The key was revoked'
};

const RETRY: RefusalAction = { kind: 'retry', label: 'Try again' };
const SWITCH: RefusalAction = { kind: 'switch-model', label: 'Switch model' };
const ADMINISTRATOR = 'An administrator of this Atrium';

function facts(extra: ProblemExtras): Refusal['facts'] {
	const out: Refusal['facts'] = [];
	if (typeof extra.limit_nano === 'number')
		out.push({ label: 'Limit', value: formatNano(extra.limit_nano) });
	if (typeof extra.spent_nano === 'number')
		out.push({ label: 'Spent', value: formatNano(extra.spent_nano) });
	const held = extra.held_nano ?? 0;
	if (held > 0) out.push({ label: 'Held by running replies', value: formatNano(held) });
	if (typeof extra.required_nano === 'number')
		out.push({ label: 'Needed at least', value: formatNano(extra.required_nano) });
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
	const text = `Hello, Atrium refused my message: ${forPeople(error.detail)} Could you ${what}?`.replace(
		/:\s+Could/,
		'. Could'
	);
	return { kind: 'copy-request', label: 'Copy a request for your admin', text };
}

function link(label: string, href: string): RefusalAction {
	return { kind: 'link', label, href };
}

function modelQuery(extra: ProblemExtras, model: string | null): string {
	const id = extra.model ?? model;
	return id ? `?model=${encodeURIComponent(id)}` : '';
}

/** The service knows what the person may do; where it does not say, their permissions do. */
function mustAsk(extra: ProblemExtras, may: boolean): boolean {
	return extra.action?.kind === 'ask_admin' || !may;
}

export function describeRefusal(error: ReplyError, reader: Reader, model: string | null = null): Refusal {
	const extra = error.extra ?? {};
	const said = reader.administers ? asSentence(error.detail) : forPeople(error.detail);
	const base = {
		detail: said,
		facts: facts(extra),
		resetsAt: extra.resets_at ?? null,
		whom: null,
		tone: 'limit' as const
	};
	/** What a person with the permission does on its page, and everybody else asks for. */
	const changed = (may: boolean, page: RefusalAction, what: string): Pick<Refusal, 'action' | 'whom'> =>
		mustAsk(extra, may)
			? { action: request(what, error), whom: ADMINISTRATOR }
			: { action: page, whom: null };
	switch (error.code) {
		case 'insufficient_credits':
			return {
				...base,
				title: 'Out of credit',
				...changed(
					reader.writesWallets,
					link('Top up the wallet', '/admin/wallet'),
					'top up our wallet'
				)
			};
		case 'budget_exceeded':
			return {
				...base,
				title: `This would exceed ${SCOPES[extra.scope ?? ''] ?? 'a budget'}`,
				...changed(
					reader.writesBudgets,
					link('Change the budget', '/admin/wallet#budgets'),
					'raise the budget'
				)
			};
		case 'price_unknown':
			return {
				...base,
				detail: priceDetail(extra.model ?? model, reader),
				title: 'This model has no price yet',
				// Another model is what anybody can have at once.
				action: mustAsk(extra, reader.writesPrices)
					? SWITCH
					: link('Set a price', `/admin/prices${modelQuery(extra, model)}`)
			};
		case 'model_not_allowed':
		case 'model_not_found':
			return { ...base, title: 'This model is not available to you', action: SWITCH };
		case 'account_suspended':
		case 'role_changed':
		case 'key_revoked':
			return {
				...base,
				title: ENDED[error.code],
				detail: 'What was written before is kept.',
				...changed(false, RETRY, 'look at my account')
			};
		default:
			return { ...base, ...failed(error, reader, said) };
	}
}

/** Anything else: what is known of its code, and what the service says. */
function failed(
	error: ReplyError,
	reader: Reader,
	said: string
): Pick<Refusal, 'title' | 'detail' | 'action' | 'tone'> {
	const fault = faultOf(error);
	const detail = reader.administers
		? said || fault.detail
		: fault.detail || said || 'Something failed on the server.';
	const action = fault.switches ? SWITCH : RETRY;
	return { title: fault.title, detail, action, tone: fault.limit ? 'limit' : 'fault' };
}

/** The API's own text names the call that sets a price; people here have a page for it. */
function priceDetail(model: string | null, reader: Reader): string {
	const name = model ?? 'It';
	return reader.writesPrices
		? `${name} answers once it has a price or is marked free.`
		: `${name} answers once an administrator has set its price or marked it free. Your message is kept.`;
}
