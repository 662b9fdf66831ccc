/** What roles are called, as keys of the catalogue. */
import type { PlainKey } from '$lib/i18n';
import type { Role } from '$lib/api/types';

export const ROLE_NAMES: Record<Role, PlainKey> = {
	admin: 'common.roleAdmin',
	'admin-readonly': 'common.roleAdminReadonly',
	finance: 'common.roleFinance',
	'org-admin': 'common.roleOrgAdmin',
	'team-admin': 'common.roleTeamAdmin',
	user: 'common.roleUser',
	pending: 'common.rolePending'
};
