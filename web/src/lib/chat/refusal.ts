/**
 * Turns a failed reply into what its reader needs: which limit, what is left, when it resets, one thing to
 * do.
 */
import { errorText, t, type PlainKey } from '$lib/i18n';
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

const EXCEEDED: Partial<Record<string, PlainKey>> = {
	organisation: 'chat.exceedsOrganisation',
	team: 'chat.exceedsTeam',
	user: 'chat.exceedsUser',
	key: 'chat.exceedsKey',
	wallet: 'chat.exceedsWallet'
};

const ENDED: Record<'account_suspended' | 'role_changed' | 'key_revoked', PlainKey> = {
	account_suspended: 'chat.yourAccountIsSuspended',
	role_changed: 'chat.yourRoleNoLonger',
	key_revoked: 'chat.theKeyWasRevoked'
};

const retry = (): RefusalAction => ({ kind: 'retry', label: t('common.tryAgain') });
const switchModel = (): RefusalAction => ({ kind: 'switch-model', label: t('chat.switchModel') });

function facts(extra: ProblemExtras): Refusal['facts'] {
	const out: Refusal['facts'] = [];
	if (typeof extra.limit_nano === 'number')
		out.push({ label: t('common.limit'), value: formatNano(extra.limit_nano) });
	if (typeof extra.spent_nano === 'number')
		out.push({ label: t('chat.spent'), value: formatNano(extra.spent_nano) });
	const held = extra.held_nano ?? 0;
	if (held > 0) out.push({ label: t('chat.heldByRunningReplies'), value: formatNano(held) });
	if (typeof extra.required_nano === 'number')
		out.push({ label: t('chat.neededAtLeast'), value: formatNano(extra.required_nano) });
	const left = remaining(extra);
	if (left !== null) out.push({ label: t('chat.left'), value: formatNano(left) });
	return out;
}

function remaining(extra: ProblemExtras): number | null {
	if (typeof extra.remaining_nano === 'number') return Math.max(0, extra.remaining_nano);
	if (typeof extra.limit_nano !== 'number' || typeof extra.spent_nano !== 'number') return null;
	return Math.max(0, extra.limit_nano - extra.spent_nano - (extra.held_nano ?? 0));
}

type Wanted = 'chat.requestTopUp' | 'chat.requestBudget' | 'chat.requestAccount';

function request(wanted: Wanted, said: string): RefusalAction {
	// The service's sentence may end where the question begins.
	const text = t(wanted, { detail: said.replace(/:$/, '.') });
	return { kind: 'copy-request', label: t('chat.copyARequestFor'), text };
}

function link(label: string, href: string): RefusalAction {
	return { kind: 'link', label, href };
}

const wallet = () => link(t('common.topUpTheWallet'), '/admin/wallet');
const budgets = () => link(t('common.changeTheBudget'), '/admin/wallet#budgets');

function modelQuery(extra: ProblemExtras, model: string | null): string {
	const id = extra.model ?? model;
	return id ? `?model=${encodeURIComponent(id)}` : '';
}

/** The service knows what the person may do; where it does not say, their permissions do. */
function mustAsk(extra: ProblemExtras, may: boolean): boolean {
	return extra.action?.kind === 'ask_admin' || !may;
}

/** What the service says, to its reader and in a request to an administrator. */
function wordsOf(error: ReplyError, reader: Reader): { said: string; forAdmin: string } {
	const translated = errorText(error.code, { ...error.extra });
	const forAdmin = translated ?? forPeople(error.detail);
	return { said: reader.administers ? (translated ?? asSentence(error.detail)) : forAdmin, forAdmin };
}

export function describeRefusal(error: ReplyError, reader: Reader, model: string | null = null): Refusal {
	const extra = error.extra ?? {};
	const { said, forAdmin } = wordsOf(error, reader);
	const base = {
		detail: said,
		facts: facts(extra),
		resetsAt: extra.resets_at ?? null,
		whom: null,
		tone: 'limit' as const
	};
	/** What a person with the permission does on its page, and everybody else asks for. */
	const changed = (may: boolean, page: RefusalAction, wanted: Wanted): Pick<Refusal, 'action' | 'whom'> =>
		mustAsk(extra, may)
			? {
					action: request(wanted, forAdmin),
					whom: t('chat.anAdministratorOfThis')
				}
			: { action: page, whom: null };
	switch (error.code) {
		case 'insufficient_credits':
			return {
				...base,
				title: t('chat.outOfCredit'),
				...changed(reader.writesWallets, wallet(), 'chat.requestTopUp')
			};
		case 'budget_exceeded':
			return {
				...base,
				title: t(EXCEEDED[extra.scope ?? ''] ?? 'chat.exceedsSome'),
				...changed(reader.writesBudgets, budgets(), 'chat.requestBudget')
			};
		case 'price_unknown':
			return {
				...base,
				detail: priceDetail(extra.model ?? model, reader),
				title: t('chat.thisModelHasNo'),
				// Another model is what anybody can have at once.
				action: mustAsk(extra, reader.writesPrices)
					? switchModel()
					: link(t('common.setAPrice'), `/admin/prices${modelQuery(extra, model)}`)
			};
		case 'model_not_allowed':
		case 'model_not_found':
			return { ...base, title: t('chat.thisModelIsNot'), action: switchModel() };
		case 'account_suspended':
		case 'role_changed':
		case 'key_revoked':
			return {
				...base,
				title: t(ENDED[error.code]),
				detail: t('chat.whatWasWrittenBefore'),
				...changed(false, retry(), 'chat.requestAccount')
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
		: fault.detail || said || t('chat.somethingFailedOnThe');
	const action = fault.switches ? switchModel() : retry();
	return { title: fault.title, detail, action, tone: fault.limit ? 'limit' : 'fault' };
}

/** The API's own text names the call that sets a price; people here have a page for it. */
function priceDetail(model: string | null, reader: Reader): string {
	if (model === null) return t(reader.writesPrices ? 'chat.itAnswersOnceIt' : 'chat.itAnswersOnceAn');
	const name = model;
	return reader.writesPrices
		? t('chat.nameAnswersOnceIt', { name })
		: t('chat.nameAnswersOnceAn', { name });
}
