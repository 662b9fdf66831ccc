/** The pages one can go to, by what one may do. */
import type { Abilities } from '$lib/auth/current.svelte';
import type { IconName } from '$lib/components/ui/Icon.svelte';

export interface Destination {
	href: string;
	label: string;
	icon: IconName;
}

export const OWN_PAGES: Destination[] = [
	{ href: '/usage', label: 'Usage', icon: 'chart' },
	{ href: '/keys', label: 'API keys', icon: 'key' },
	{ href: '/settings', label: 'Settings', icon: 'settings' }
];

/** Where the material of chats is kept: beside the chats themselves. */
export function workPages(can: Abilities): Destination[] {
	const pages: (Destination & { shown: boolean })[] = [
		{ href: '/files', label: 'Files', icon: 'file', shown: can.readFiles },
		{ href: '/agents', label: 'Agents', icon: 'agent', shown: can.readAgents }
	];
	return pages.filter((page) => page.shown);
}

export function adminPages(can: Abilities): Destination[] {
	const pages: (Destination & { shown: boolean })[] = [
		{ href: '/admin/prices', label: 'Prices', icon: 'tag', shown: can.readPrices },
		{ href: '/admin/wallet', label: 'Wallet and budgets', icon: 'wallet', shown: can.readWallets },
		{ href: '/admin/users', label: 'Users', icon: 'users', shown: can.readUsers },
		{ href: '/admin/tools', label: 'Tools and servers', icon: 'tool', shown: can.manageTools },
		{ href: '/admin/status', label: 'Status', icon: 'pulse', shown: can.readStatus }
	];
	return pages.filter((page) => page.shown);
}
