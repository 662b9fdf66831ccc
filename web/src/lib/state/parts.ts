/** Parts of the program that are loaded when somebody wants them. */
import { toApiError } from '$lib/api/errors';
import { toasts } from './toasts.svelte';

/** The part; null, after a notice, when it did not come: asking again loads it again. */
export async function loaded<T>(load: () => Promise<T>): Promise<T | null> {
	try {
		return await load();
	} catch (error) {
		toasts.danger(toApiError(error).message);
		return null;
	}
}
