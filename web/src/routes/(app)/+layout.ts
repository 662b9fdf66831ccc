import { wantAll } from '$lib/i18n';

/** The language first: then only its texts are fetched. */
export const load = async ({ parent }) => {
	await parent();
	await wantAll();
};
