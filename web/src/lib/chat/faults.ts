/** What is said of a failure, by its code: in words that need no knowledge of how the installation is built. Pure. */
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

const AWAY = 'Your message is kept. Try again in a moment.';
const LATER = 'Wait a moment and try again.';

const FAULTS: Record<string, Fault> = {
	network_unreachable: { title: 'No connection', detail: '' },
	model_loading: { title: 'The model is still loading', detail: '' },
	model_busy: { title: 'The model is busy', detail: LATER, limit: true },
	model_failed: { title: 'The model broke off', detail: '' },
	model_disconnected: { title: 'The model broke off', detail: '' },
	model_timeout: { title: 'The model took too long', detail: '' },
	provider_timeout: { title: 'The model took too long', detail: AWAY },
	provider_unavailable: { title: 'The model does not answer just now', detail: AWAY, switches: true },
	provider_error: { title: 'The model does not answer just now', detail: AWAY },
	provider_auth_failed: {
		title: "The model's provider refused this installation",
		detail: 'An administrator has to look at it. Another model may answer.',
		switches: true
	},
	provider_quota_exhausted: {
		title: "The model's provider has no credit left",
		detail: 'An administrator has to look at it. Another model may answer.',
		switches: true
	},
	provider_rate_limited: { title: "The model's provider is busy", detail: LATER, limit: true },
	provider_refused_request: { title: "The model's provider refused this message", detail: '', limit: true },
	context_length_exceeded: {
		title: 'This is too long for the model',
		detail: 'Shorten it, attach less, or choose a model that reads more.',
		limit: true,
		switches: true
	},
	message_too_long: {
		title: 'This is too long for the model',
		detail: 'Shorten it, attach less, or choose a model that reads more.',
		limit: true,
		switches: true
	},
	content_too_large: { title: 'This message is too long', detail: '', limit: true },
	unsupported_content: {
		title: 'This model cannot read what was sent',
		detail: 'Another model may.',
		limit: true,
		switches: true
	},
	reply_too_long: { title: 'The reply became too long', detail: '', limit: true },
	billing_unavailable: {
		title: 'Not possible just now',
		detail: 'What it would cost could not be looked up. Nothing was charged. Try again in a moment.'
	},
	inference_unavailable: { title: 'Not possible just now', detail: AWAY },
	agents_busy: { title: 'Many agents are at work just now', detail: AWAY, limit: true },
	agent_unavailable: { title: 'Not possible just now', detail: AWAY },
	retrieval_unavailable: { title: 'The documents cannot be searched just now', detail: AWAY },
	service_away: { title: 'Not possible just now', detail: AWAY },
	chat_busy: { title: 'Many replies are being written just now', detail: LATER, limit: true },
	chat_restarting: { title: 'Not possible just now', detail: AWAY },
	database_down: { title: 'Not possible just now', detail: AWAY },
	rate_limited: { title: 'Too fast', detail: '', limit: true },
	rate_limit_exceeded: { title: 'Too fast', detail: '', limit: true },
	too_many_running_replies: { title: 'Too many replies at once', detail: '', limit: true },
	too_many_streams: { title: 'Too many replies at once', detail: '', limit: true },
	steps_exhausted: { title: 'The agent reached its limit', detail: '', limit: true },
	tokens_exhausted: { title: 'The agent reached its limit', detail: '', limit: true },
	cost_exhausted: { title: 'The agent reached its limit', detail: '', limit: true },
	run_too_long: { title: 'The agent reached its limit', detail: '', limit: true },
	tool_loop: { title: 'The agent went round in circles', detail: '', limit: true }
};

export function faultOf({ code }: Pick<ReplyError, 'code'>): Fault {
	return FAULTS[code] ?? { title: 'The reply failed', detail: '' };
}
