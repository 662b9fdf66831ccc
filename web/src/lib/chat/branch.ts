/** The loaded part of a chat's active branch, changed without touching the arrays it was given. */
import type { Message } from '$lib/api/types';

const LOCAL = 'local-';
let count = 0;

export function isLocal(id: string): boolean {
	return id.startsWith(LOCAL);
}

/** A message shown before the server stored it. */
export function localMessage(chatId: string, fields: Partial<Message> & Pick<Message, 'role'>): Message {
	const now = new Date().toISOString();
	count += 1;
	return {
		id: `${LOCAL}${count}`,
		chat_id: chatId,
		parent_id: null,
		content: '',
		model: null,
		status: fields.role === 'user' ? 'complete' : 'streaming',
		error: null,
		usage: null,
		attachments: [],
		citations: [],
		steps: [],
		finish_reason: null,
		reasoning: '',
		left_out: null,
		agent_id: null,
		sibling_ids: [],
		created_at: now,
		updated_at: now,
		...fields
	};
}

/** The freshly read end of the branch put onto what was already shown of its beginning. */
export function mergeEnd(shown: Message[], end: Message[]): { messages: Message[]; kept: boolean } {
	const first = end[0];
	const at = first ? shown.findIndex((m) => m.id === first.id) : -1;
	if (at <= 0) return { messages: end, kept: at === 0 };
	return { messages: [...shown.slice(0, at), ...end], kept: true };
}

export function replaceById(messages: Message[], id: string, next: Message): Message[] {
	return messages.map((m) => (m.id === id ? next : m));
}

/** Everything before the message; all when it is not there. */
export function before(messages: Message[], id: string): Message[] {
	const at = messages.findIndex((m) => m.id === id);
	return at < 0 ? messages : messages.slice(0, at);
}

export function lastOf(messages: Message[], role: Message['role']): Message | null {
	return messages.findLast((m) => m.role === role) ?? null;
}

/** Where a message stands among its alternatives, to step through them. */
export function siblings(message: Message): {
	at: number;
	count: number;
	previous: string | null;
	next: string | null;
} {
	const ids = message.sibling_ids;
	const at = ids.indexOf(message.id);
	return {
		at,
		count: ids.length,
		previous: ids[at - 1] ?? null,
		next: at < 0 ? null : (ids[at + 1] ?? null)
	};
}
