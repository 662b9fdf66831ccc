/** What a running reply looks like after each event of its stream. Pure, so that resuming is testable. */
import type { LoadProgress, Message, MessageStatus, ReplyError, Usage } from '$lib/api/types';
import type { SseEvent } from '$lib/sse/parser';

export interface Waiting {
	reason: 'model_loading' | 'model_busy';
	progress: LoadProgress | null;
}

export type ReplyPhase = 'sent' | 'waiting' | 'streaming' | 'ended';

export interface Reply {
	/** The assistant message this reply fills; null until the server named it. */
	id: string | null;
	/** The stored user message, once the server sent it back. */
	question: Message | null;
	phase: ReplyPhase;
	text: string;
	reasoning: string;
	waiting: Waiting | null;
	usage: Usage | null;
	error: ReplyError | null;
	status: MessageStatus;
	lastEventId: string | null;
}

/** @param base text the reply already has: empty, or what an interrupted reply goes on from */
export function newReply(id: string | null = null, base = ''): Reply {
	return {
		id,
		question: null,
		phase: 'sent',
		text: base,
		reasoning: '',
		waiting: null,
		usage: null,
		error: null,
		status: 'streaming',
		lastEventId: null
	};
}

type Fields = Record<string, unknown>;

function parse(data: string): Fields | null {
	try {
		const value: unknown = JSON.parse(data);
		return typeof value === 'object' && value !== null ? (value as Fields) : null;
	} catch {
		return null;
	}
}

const str = (value: unknown): string => (typeof value === 'string' ? value : '');
const int = (value: unknown): number | null => (typeof value === 'number' ? value : null);

function number(id: string | null): number | null {
	return id !== null && /^\d+$/.test(id) ? Number(id) : null;
}

/** A reconnect may repeat what was seen; ids only grow within a reply. */
function alreadySeen(reply: Reply, event: SseEvent): boolean {
	const seen = number(reply.lastEventId);
	const next = number(event.id);
	return seen !== null && next !== null && next <= seen && event.event !== 'reset';
}

export function applyEvent(reply: Reply, event: SseEvent): Reply {
	if (alreadySeen(reply, event)) return reply;
	const data = parse(event.data);
	if (!data) return reply;
	const base = { ...reply, lastEventId: event.id ?? reply.lastEventId };
	switch (event.event) {
		case 'message':
			return onMessage(base, data);
		case 'waiting':
			return { ...base, phase: 'waiting', waiting: waitingOf(data) };
		case 'delta':
			return { ...base, phase: 'streaming', waiting: null, text: base.text + str(data.text) };
		case 'reasoning':
			return { ...base, phase: 'streaming', waiting: null, reasoning: base.reasoning + str(data.text) };
		case 'reset':
			return { ...base, phase: 'streaming', waiting: null, text: str(data.text) };
		case 'usage':
			return { ...base, usage: usageOf(data) };
		case 'error':
			return { ...base, error: errorOf(data) };
		case 'done':
			return { ...base, phase: 'ended', waiting: null, status: statusOf(data.status) };
		default:
			return base;
	}
}

function onMessage(reply: Reply, data: Fields): Reply {
	const question = data.message as Message | undefined;
	return { ...reply, id: str(data.reply_id) || reply.id, question: question ?? reply.question };
}

function waitingOf(data: Fields): Waiting {
	const reason = data.reason === 'model_busy' ? 'model_busy' : 'model_loading';
	return { reason, progress: (data.progress as LoadProgress | null | undefined) ?? null };
}

function usageOf(data: Fields): Usage {
	return {
		prompt_tokens: int(data.prompt_tokens),
		completion_tokens: int(data.completion_tokens),
		cost_nano: int(data.cost_nano),
		remaining_nano: int(data.remaining_nano)
	};
}

const ERROR_OWN = new Set(['code', 'detail', 'status', 'extra', 'type', 'title', 'instance']);

/** An error event carries the problem's extras beside its code; a stored error keeps them under `extra`. */
export function errorOf(data: Fields): ReplyError {
	const beside = Object.fromEntries(Object.entries(data).filter(([key]) => !ERROR_OWN.has(key)));
	const under = typeof data.extra === 'object' && data.extra !== null ? data.extra : {};
	return {
		code: str(data.code) || 'failed',
		detail: str(data.detail) || 'The reply failed.',
		status: int(data.status) ?? undefined,
		extra: { ...beside, ...under }
	};
}

const ENDED = new Set<unknown>(['complete', 'stopped', 'interrupted', 'failed']);

function statusOf(value: unknown): MessageStatus {
	return ENDED.has(value) ? (value as MessageStatus) : 'complete';
}

export function isOver(reply: Reply): boolean {
	return reply.phase === 'ended';
}

/** The stored shape of a reply, to show it with the others before they are read again. */
export function replyAsMessage(reply: Reply, like: Message): Message {
	return {
		...like,
		content: reply.text,
		status: reply.status,
		usage: reply.usage ?? like.usage,
		error: reply.error
	};
}
