/** How a reply ended, where that is not simply its end: in words, and what can be done. Pure. */
import type { LeftOut, Message } from '$lib/api/types';
import { formatCount, plural } from '$lib/format/numbers';

export interface Ending {
	text: string;
	/** `continue` where the server takes it, `again` where only a new reply helps, null where nothing is missing. */
	action: 'continue' | 'again' | null;
}

const CUT = 'This reply is cut off: one reply may not be longer, or cost more.';

/** Null: it ended by itself, or what went wrong is shown as a refusal and nothing of it can go on. */
export function endingOf(
	message: Pick<Message, 'status' | 'finish_reason' | 'content' | 'agent_id' | 'error'>
): Ending | null {
	const { status, finish_reason, content, agent_id, error } = message;
	// The run of an agent has ended: what it wrote does not go on in its middle.
	const action = agent_id === null ? 'continue' : 'again';
	if (status === 'stopped') return { text: 'You stopped this reply.', action };
	if (status === 'interrupted')
		return { text: 'This reply was interrupted. What was written is kept.', action };
	if (status === 'failed' && error?.code === 'reply_too_long') return null;
	if (status === 'failed')
		return content !== '' && agent_id === null
			? { text: 'It can be continued from where it broke off.', action }
			: null;
	if (status !== 'complete') return null;
	switch (finish_reason) {
		case 'length':
			return {
				text: content === '' ? 'The model used all the length it may, and wrote no answer.' : CUT,
				action
			};
		case 'content_filter':
			return {
				text:
					content === ''
						? "The provider's content filter withheld this reply."
						: "The provider's content filter cut this reply off.",
				action: 'again'
			};
		case 'refusal':
			return { text: 'The model declined to answer this.', action: null };
		case 'reasoning_only':
			return { text: 'The model thought, and wrote no answer.', action: 'again' };
		default:
			// An agent may have answered with files alone.
			return content === '' && agent_id === null
				? { text: 'The model answered with nothing.', action: 'again' }
				: null;
	}
}

/** What the model did not see, in one line; null when it saw all. */
export function leftOutText(left: LeftOut | null): string | null {
	const parts = [
		left && left.messages > 0 ? plural(left.messages, 'earlier message') : '',
		left && left.passages > 0 ? plural(left.passages, 'passage') : ''
	].filter(Boolean);
	if (!left || parts.length === 0) return null;
	return `Not seen by the model: ${parts.join(' and ')}, beyond the ${formatCount(left.window_tokens)} tokens it can read.`;
}
