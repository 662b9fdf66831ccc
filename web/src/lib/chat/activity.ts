/** What was done for a reply: steps and tool calls, folded from its events, and said in few words. Pure. */
import { t } from '$lib/i18n';
import type { Citation, Part, Step, ToolCall } from '$lib/api/types';

export function isCall(part: Part): part is ToolCall {
	return 'call_id' in part;
}

/** A step is listed once: its next attempt takes the place of the one before. */
export function withStep(parts: Part[], step: Step): Part[] {
	const at = parts.findIndex((part) => !isCall(part) && part.step === step.step);
	return at < 0 ? [...parts, step] : parts.with(at, step);
}

/** The same call comes again with each change of it. A model may give calls of two steps the same id. */
export function withCall(parts: Part[], call: ToolCall): Part[] {
	const at = parts.findIndex(
		(part) => isCall(part) && part.step === call.step && part.call_id === call.call_id
	);
	return at < 0 ? [...parts, call] : parts.with(at, call);
}

export function withCitation(citations: Citation[], citation: Citation): Citation[] {
	const rest = citations.filter(({ n }) => n !== citation.n);
	return [...rest, citation].sort((a, b) => a.n - b.n);
}

export interface Activity {
	/** What people can look at: calls, and look-ups made without one. Turns of the model are not listed. */
	items: Part[];
	/** One line: what is done now, else what was done. */
	summary: string;
	/** The call a person must decide on. */
	awaiting: ToolCall | null;
	working: boolean;
}

const WORKING = new Set(['running', 'awaiting_approval']);

/** @param running whether the reply is still being written */
export function activityOf(parts: Part[], running: boolean): Activity {
	const items = parts.filter((part) => isCall(part) || part.kind === 'retrieval');
	const calls = items.filter(isCall);
	const awaiting = running ? (calls.find((call) => call.status === 'awaiting_approval') ?? null) : null;
	const current = running
		? (awaiting ?? calls.findLast((call) => WORKING.has(call.status)) ?? looking(parts))
		: null;
	return { items, summary: current ? doing(current) : done(items), awaiting, working: current !== null };
}

/** A look-up is over when anything follows it. */
function looking(parts: Part[]): Step | null {
	const last = parts.at(-1);
	return last && !isCall(last) && last.kind === 'retrieval' ? last : null;
}

function doing(part: Part): string {
	if (!isCall(part)) return part.title || t('chat.lookingInTheDocuments');
	return part.status === 'awaiting_approval'
		? t('chat.toolWaitsForYour', { tool: nameOf(part) })
		: t('chat.usingTool', { tool: nameOf(part) });
}

function done(items: Part[]): string {
	const all = items.filter(isCall);
	const calls = all.filter((call) => call.status !== 'denied');
	const names = [...new Set(calls.map(nameOf))];
	const shown =
		names.length > 3
			? t('common.andRest', { names: names.slice(0, 2).join(', '), count: names.length - 2 })
			: names.join(', ');
	const failed = calls.filter((call) => call.status === 'failed').length;
	const refused = all.filter((call) => call.status === 'denied');
	const asides = [
		failed > 0 ? t('chat.countFailed', { count: failed }) : '',
		refused.length > 0 && calls.length > 0 ? t('chat.countDenied', { count: refused.length }) : ''
	]
		.filter(Boolean)
		.join(', ');
	if (calls.length === 0 && refused.length > 0)
		return t('chat.valueWasNotAllowed', { value: [...new Set(refused.map(nameOf))].join(', ') });
	const used =
		calls.length === 0
			? ''
			: t('chat.usedTools', { names: shown }) +
				(calls.length > names.length ? ` · ${t('chat.countCalls', { count: calls.length })}` : '');
	return `${used || t('chat.lookedInTheDocuments')}${asides ? ` · ${asides}` : ''}`;
}

export function nameOf(call: Pick<ToolCall, 'name' | 'title'>): string {
	return call.title || call.name;
}

/** The numbers cited in a text, as the reader sees them: those that have a passage. */
export function citedIn(text: string, citations: Citation[]): Set<number> {
	const known = new Set(citations.map(({ n }) => n));
	const found = new Set<number>();
	for (const [, list] of text.matchAll(/\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]/g)) {
		for (const n of (list ?? '').split(',').map(Number)) if (known.has(n)) found.add(n);
	}
	return found;
}
