/** The pages one can go to, by what one may do. */
import { t } from '$lib/i18n';
import type { Abilities } from '$lib/auth/current.svelte';
import type { IconName } from '$lib/components/ui/Icon.svelte';

export interface Destination {
	href: string;
	label: string;
	icon: IconName;
}

export const ownPages = (): Destination[] => [
	{ href: '/usage', label: t('common.usage'), icon: 'chart' },
	{ href: '/keys', label: t('keys.apiKeys'), icon: 'key' },
	{ href: '/settings', label: t('common.settings'), icon: 'settings' }
];

/** Where the material of chats is kept: beside the chats themselves. */
export function workPages(can: Abilities): Destination[] {
	const pages: (Destination & { shown: boolean })[] = [
		{ href: '/files', label: t('common.files'), icon: 'file', shown: can.readFiles },
		{ href: '/agents', label: t('common.agents'), icon: 'agent', shown: can.readAgents }
	];
	return pages.filter((page) => page.shown);
}

export function adminPages(can: Abilities): Destination[] {
	const pages: (Destination & { shown: boolean })[] = [
		{ href: '/admin/prices', label: t('common.prices'), icon: 'tag', shown: can.readPrices },
		{
			href: '/admin/wallet',
			label: t('common.walletAndBudgets'),
			icon: 'wallet',
			shown: can.readWallets
		},
		{ href: '/admin/users', label: t('common.users'), icon: 'users', shown: can.readUsers },
		{ href: '/admin/tools', label: t('common.toolsAndServers'), icon: 'tool', shown: can.manageTools },
		{ href: '/admin/status', label: t('common.status'), icon: 'pulse', shown: can.readStatus }
	];
	return pages.filter((page) => page.shown);
}
