/** What a running reply looks like after each event of its stream. Pure, so that resuming is testable. */
import { t } from '$lib/i18n';
import type {
	Citation,
	LeftOut,
	LoadProgress,
	Message,
	MessageStatus,
	Part,
	ReplyError,
	Step,
	ToolCall,
	Usage
} from '$lib/api/types';
import type { SseEvent } from '$lib/sse/parser';
import { withCall, withCitation, withStep } from './activity';

export interface Waiting {
	/** `other`: a reason this version does not know. */
	reason: 'model_loading' | 'model_busy' | 'service_away' | 'agents_busy' | 'other';
	progress: LoadProgress | null;
}

/** Lengths of what was written before a step began. */
interface Mark {
	text: number;
	reasoning: number;
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
	/** What was done for it: steps and tool calls in order. */
	parts: Part[];
	citations: Citation[];
	/** Where each step's text begins, to take it back when the step is run again. */
	marks: ReadonlyMap<number, Mark>;
	waiting: Waiting | null;
	/** What the model does not see; null when it sees all. */
	leftOut: LeftOut | null;
	usage: Usage | null;
	error: ReplyError | null;
	status: MessageStatus;
	/** Why it ended, in the provider's word. */
	finishReason: string | null;
	lastEventId: string | null;
	/** The id of the last reset: what comes with it carries the same. */
	resetId: string | null;
}

/** @param base what the reply already has: nothing, or what an interrupted reply goes on from */
export function newReply(
	id: string | null = null,
	base: Partial<Pick<Message, 'content' | 'steps' | 'citations' | 'reasoning' | 'left_out'>> = {}
): Reply {
	return {
		id,
		question: null,
		phase: 'sent',
		text: base.content ?? '',
		reasoning: base.reasoning ?? '',
		parts: base.steps ?? [],
		citations: base.citations ?? [],
		marks: new Map(),
		waiting: null,
		leftOut: base.left_out ?? null,
		usage: null,
		error: null,
		status: 'streaming',
		finishReason: null,
		lastEventId: null,
		resetId: null
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

/**
 * These replace: seen twice they change nothing. The end of a reply comes with the last id again when it was
 * missed, and so does what the reply of an agent waits for.
 */
const REPLACING = new Set(['reset', 'usage', 'error', 'done', 'left_out', 'citation', 'waiting']);

/**
 * A reconnect may repeat what was seen; ids only grow within a reply. What comes with a reset carries its id.
 */
function alreadySeen(reply: Reply, event: SseEvent): boolean {
	if (REPLACING.has(event.event) || (event.id !== null && event.id === reply.resetId)) return false;
	const seen = number(reply.lastEventId);
	const next = number(event.id);
	return seen !== null && next !== null && next <= seen;
}

/** The furthest id seen; only a reset goes back. */
function lastId({ lastEventId }: Reply, event: SseEvent): string | null {
	const [seen, next] = [number(lastEventId), number(event.id)];
	if (event.event !== 'reset' && seen !== null && next !== null && next < seen) return lastEventId;
	return event.id ?? lastEventId;
}

export function applyEvent(reply: Reply, event: SseEvent): Reply {
	if (alreadySeen(reply, event)) return reply;
	const data = parse(event.data);
	if (!data) return reply;
	const base = { ...reply, lastEventId: lastId(reply, event) };
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
			return {
				...base,
				phase: 'streaming',
				waiting: null,
				text: str(data.text),
				reasoning: '',
				marks: new Map(),
				resetId: event.id
			};
		case 'step':
			// Where a step began whose text came with a reset is not known.
			if (event.id !== null && event.id === base.resetId)
				return { ...base, parts: withStep(base.parts, stepOf(data)) };
			return onStep(base, stepOf(data));
		case 'left_out':
			return { ...base, waiting: null, leftOut: data as unknown as LeftOut };
		case 'tool':
			return { ...base, phase: 'streaming', waiting: null, parts: withCall(base.parts, callOf(data)) };
		case 'citation':
			return {
				...base,
				waiting: null,
				citations: withCitation(base.citations, data as unknown as Citation)
			};
		case 'usage':
			return { ...base, usage: usageOf(data) };
		case 'error':
			return { ...base, error: errorOf(data) };
		case 'done':
			return {
				...base,
				phase: 'ended',
				waiting: null,
				status: statusOf(data.status),
				finishReason: str(data.finish_reason) || null
			};
		default:
			return base;
	}
}

function onMessage(reply: Reply, data: Fields): Reply {
	const question = data.message as Message | undefined;
	return { ...reply, id: str(data.reply_id) || reply.id, question: question ?? reply.question };
}

/** A step that was cut runs again: what its earlier attempt wrote is void. */
export function voidAttempt(reply: Reply, step: Pick<Step, 'step' | 'attempt'>): Reply {
	const mark = reply.marks.get(step.step);
	if (step.attempt <= 1 || !mark) return reply;
	return {
		...reply,
		text: reply.text.slice(0, mark.text),
		reasoning: reply.reasoning.slice(0, mark.reasoning)
	};
}

function onStep(reply: Reply, step: Step): Reply {
	// Only a model writes; what a tool's next attempt follows stays.
	const kept = step.kind === 'model' ? voidAttempt(reply, step) : reply;
	const marks = new Map(kept.marks).set(step.step, {
		text: kept.text.length,
		reasoning: kept.reasoning.length
	});
	return { ...kept, marks, waiting: null, parts: withStep(kept.parts, step) };
}

function stepOf(data: Fields): Step {
	const kind = data.kind === 'tool' || data.kind === 'retrieval' ? data.kind : 'model';
	return { step: int(data.step) ?? 1, attempt: int(data.attempt) ?? 1, kind, title: str(data.title) };
}

const CALL_DEFAULTS = {
	step: 1,
	call_id: '',
	name: '',
	title: '',
	status: 'running',
	arguments: {},
	result: null,
	files: [],
	duration_ms: null
};

function callOf(data: Fields): ToolCall {
	return { ...CALL_DEFAULTS, ...data } as ToolCall;
}

const REASONS = ['model_loading', 'model_busy', 'service_away', 'agents_busy'] as const;

function waitingOf(data: Fields): Waiting {
	const reason = REASONS.find((known) => known === data.reason) ?? 'other';
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
		detail: str(data.detail) || t('chat.theReplyFailed2'),
		status: int(data.status) ?? undefined,
		extra: { ...beside, ...under }
	};
}

const ENDED = new Set<unknown>(['complete', 'stopped', 'interrupted', 'failed']);

function statusOf(value: unknown): MessageStatus {
	return ENDED.has(value) ? (value as MessageStatus) : 'complete';
}

/**
 * Whether to say what the reader waits for: always when the server said it, else until there is something to
 * look at.
 */
export function showsWaiting(reply: Reply, working: boolean): boolean {
	return reply.waiting !== null || (reply.text === '' && !working);
}

export function isOver(reply: Reply): boolean {
	return reply.phase === 'ended';
}

/** The stored shape of a reply, to show it with the others before they are read again. */
export function replyAsMessage(reply: Reply, like: Message): Message {
	return {
		...like,
		content: reply.text,
		steps: reply.parts,
		citations: reply.citations,
		status: reply.status,
		finish_reason: reply.finishReason,
		reasoning: reply.reasoning,
		left_out: reply.leftOut,
		usage: reply.usage ?? like.usage,
		error: reply.error
	};
}
