/** Leaving: the server forgets the session, every tab forgets what it showed. */
import { t } from '$lib/i18n';
import { goto } from '$app/navigation';
import { signOut } from '$lib/api/auth';
import { toApiError } from '$lib/api/errors';
import { leaveAttachments } from '$lib/chat/attachments.svelte';
import { agents } from '$lib/state/agents.svelte';
import { chats } from '$lib/state/chats.svelte';
import { entitlements } from '$lib/state/entitlements.svelte';
import { knowledge } from '$lib/state/knowledge.svelte';
import { models } from '$lib/state/models.svelte';
import { toasts } from '$lib/state/toasts.svelte';
import { endSession } from './current.svelte';

export async function signOutHere(): Promise<void> {
	toasts.expireAll();
	try {
		await signOut();
	} catch (error) {
		const problem = toApiError(error);
		// Leaving the cookie behind would sign this browser in again at the next visit.
		if (problem.status !== 401) {
			toasts.danger(t('shell.youAreStillSigned', { message: problem.message }));
			return;
		}
	}
	endSession();
	forget();
	await goto('/signin');
}

export function forget(): void {
	chats.clear();
	models.stop();
	entitlements.clear();
	agents.clear();
	knowledge.clear();
	leaveAttachments();
}
