/** How a reply ended, where that is not simply its end: in words, and what can be done. Pure. */
import { t } from '$lib/i18n';
import type { LeftOut, Message } from '$lib/api/types';
import { listOf } from '$lib/format/numbers';

export interface Ending {
	text: string;
	/**
	 * `continue` where the server takes it, `again` where only a new reply helps, null where nothing is
	 * missing.
	 */
	action: 'continue' | 'again' | null;
}

/** Null: it ended by itself, or what went wrong is shown as a refusal and nothing of it can go on. */
export function endingOf(
	message: Pick<Message, 'status' | 'finish_reason' | 'content' | 'agent_id' | 'error'>
): Ending | null {
	const { status, finish_reason, content, agent_id, error } = message;
	// The run of an agent has ended: what it wrote does not go on in its middle.
	const action = agent_id === null ? 'continue' : 'again';
	if (status === 'stopped') return { text: t('chat.youStoppedThisReply'), action };
	if (status === 'interrupted') return { text: t('chat.thisReplyWasInterrupted'), action };
	if (status === 'failed' && error?.code === 'reply_too_long') return null;
	if (status === 'failed')
		return content !== '' && agent_id === null ? { text: t('chat.itCanBeContinued'), action } : null;
	if (status !== 'complete') return null;
	switch (finish_reason) {
		case 'length':
			return {
				text: content === '' ? t('chat.theModelUsedAll') : t('chat.thisReplyIsCut'),
				action
			};
		case 'content_filter':
			return {
				text:
					content === ''
						? t('chat.theProviderContentFilterWithheld')
						: t('chat.theProviderContentFilter'),
				action: 'again'
			};
		case 'refusal':
			return { text: t('chat.theModelDeclinedTo'), action: null };
		case 'reasoning_only':
			return { text: t('chat.theModelThoughtAnd'), action: 'again' };
		default:
			// An agent may have answered with files alone.
			return content === '' && agent_id === null
				? { text: t('chat.theModelAnsweredWith'), action: 'again' }
				: null;
	}
}

/** What the model did not see, in one line; null when it saw all. */
export function leftOutText(left: LeftOut | null): string | null {
	const parts = [
		left && left.messages > 0 ? t('chat.earlierMessages', { count: left.messages }) : '',
		left && left.passages > 0 ? t('common.countPassages', { count: left.passages }) : ''
	].filter(Boolean);
	if (!left || parts.length === 0) return null;
	return t('chat.notSeenByTheModel', { what: listOf(parts), tokens: left.window_tokens });
}
