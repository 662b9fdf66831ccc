/**
 * What is said of a failure, by its code: in words that need no knowledge of how the installation is built.
 * Pure.
 */
import { t, type PlainKey } from '$lib/i18n';
import type { ReplyError } from '$lib/api/types';

export interface Fault {
	title: string;
	/** Empty: the service's own words say it best. */
	detail: string;
	/** A limit, calm; else a fault. */
	limit?: boolean;
	/** Another model may answer where this one will not. */
	switches?: boolean;
}

const AWAY = 'chat.yourMessageIsKept';
const LATER = 'chat.waitAMomentAnd';

type Entry = Omit<Fault, 'title' | 'detail'> & { title: PlainKey; detail: PlainKey | '' };

const FAULTS: Partial<Record<string, Entry>> = {
	network_unreachable: { title: 'common.noConnection', detail: '' },
	model_loading: { title: 'chat.theModelIsStill', detail: '' },
	model_busy: { title: 'chat.theModelIsBusy', detail: LATER, limit: true },
	model_failed: { title: 'chat.theModelBrokeOff', detail: '' },
	model_disconnected: { title: 'chat.theModelBrokeOff', detail: '' },
	model_timeout: { title: 'chat.theModelTookToo', detail: '' },
	provider_timeout: { title: 'chat.theModelTookToo', detail: AWAY },
	provider_unavailable: { title: 'chat.theModelDoesNot', detail: AWAY, switches: true },
	provider_error: { title: 'chat.theModelDoesNot', detail: AWAY },
	provider_auth_failed: {
		title: 'chat.theModelProviderRefused',
		detail: 'chat.anAdministratorHasTo',
		switches: true
	},
	provider_quota_exhausted: {
		title: 'chat.theModelProviderHas',
		detail: 'chat.anAdministratorHasTo',
		switches: true
	},
	provider_rate_limited: { title: 'chat.theModelProviderIs', detail: LATER, limit: true },
	provider_refused_request: { title: 'chat.theModelProviderRefusedThis', detail: '', limit: true },
	context_length_exceeded: {
		title: 'chat.thisIsTooLong',
		detail: 'chat.shortenItAttachLess',
		limit: true,
		switches: true
	},
	message_too_long: {
		title: 'chat.thisIsTooLong',
		detail: 'chat.shortenItAttachLess',
		limit: true,
		switches: true
	},
	content_too_large: { title: 'chat.thisMessageIsToo', detail: '', limit: true },
	unsupported_content: {
		title: 'chat.thisModelCannotRead',
		detail: 'chat.anotherModelMay',
		limit: true,
		switches: true
	},
	reply_too_long: { title: 'chat.theReplyBecameToo', detail: '', limit: true },
	billing_unavailable: {
		title: 'chat.notPossibleJustNow',
		detail: 'chat.whatItWouldCost'
	},
	inference_unavailable: { title: 'chat.notPossibleJustNow', detail: AWAY },
	agents_busy: { title: 'chat.manyAgentsAreAt', detail: AWAY, limit: true },
	agent_unavailable: { title: 'chat.notPossibleJustNow', detail: AWAY },
	retrieval_unavailable: { title: 'chat.theDocumentsCannotBe', detail: AWAY },
	service_away: { title: 'chat.notPossibleJustNow', detail: AWAY },
	chat_busy: { title: 'chat.manyRepliesAreBeing', detail: LATER, limit: true },
	chat_restarting: { title: 'chat.notPossibleJustNow', detail: AWAY },
	database_down: { title: 'chat.notPossibleJustNow', detail: AWAY },
	rate_limited: { title: 'chat.tooFast', detail: '', limit: true },
	rate_limit_exceeded: { title: 'chat.tooFast', detail: '', limit: true },
	too_many_running_replies: { title: 'chat.tooManyRepliesAt', detail: '', limit: true },
	too_many_streams: { title: 'chat.tooManyRepliesAt', detail: '', limit: true },
	steps_exhausted: { title: 'chat.theAgentReachedIts', detail: '', limit: true },
	tokens_exhausted: { title: 'chat.theAgentReachedIts', detail: '', limit: true },
	cost_exhausted: { title: 'chat.theAgentReachedIts', detail: '', limit: true },
	run_too_long: { title: 'chat.theAgentReachedIts', detail: '', limit: true },
	tool_loop: { title: 'chat.theAgentWentRound', detail: '', limit: true }
};

export function faultOf({ code }: Pick<ReplyError, 'code'>): Fault {
	const { title, detail, ...rest } = FAULTS[code] ?? { title: 'chat.theReplyFailed', detail: '' };
	return { ...rest, title: t(title), detail: detail && t(detail) };
}
