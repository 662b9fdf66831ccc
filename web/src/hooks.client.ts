import type { HandleClientError } from '@sveltejs/kit';
import { t } from '$lib/i18n';

/** How browsers and the bundler say that a part of the program could not be fetched. */
const UNLOADED = /preload|dynamically imported|load failed/i;

/**
 * What is said where a page did not open: mostly its program could not be fetched, for the connection is
 * gone.
 */
export const handleError: HandleClientError = ({ error, status, message }) => {
	if (status === 404) return { message };
	console.error(error);
	const unreachable = error instanceof TypeError || UNLOADED.test(String(error));
	return { message: t(unreachable ? 'errors.theServerDidNot' : 'errors.somethingWentWrongIn') };
};
