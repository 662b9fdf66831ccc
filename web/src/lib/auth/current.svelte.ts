/** The one session of this page, and what the page may show for it. */
import { readJson, send } from '$lib/api/http';
import type { TokenAnswer, User } from '$lib/api/types';
import { personal, readStored, useStoreOf, writeStored } from '$lib/state/storage';
import { Session } from './session';

const LOCK = 'atrium-refresh';
const CHANNEL = 'atrium-session';
const SIGNED_IN = 'atrium-signed-in';

class Identity {
	user = $state.raw<User | null>(null);
	/** By name, as the gateway lists them; null until it did. */
	permissions = $state.raw<string[] | null>(null);
	/** The person left on purpose: the next one begins at the start, not on their page. */
	signedOut = false;

	get can(): Abilities {
		return abilities(this.permissions ?? []);
	}
}

export const identity = new Identity();

async function refresh(): Promise<TokenAnswer> {
	return readJson<TokenAnswer>(await send('POST', '/api/v1/auth/refresh'));
}

/** Locks need https or localhost; without them the server's 10 s of tolerance for two tabs has to do. */
function exclusive<T>(task: () => Promise<T>): Promise<T> {
	if (!('locks' in navigator)) return task();
	return navigator.locks.request(LOCK, task) as Promise<T>;
}

export const session = new Session({
	refresh,
	exclusive,
	now: () => Date.now(),
	changed: (user) => {
		writeStored(SIGNED_IN, user === null ? 'no' : 'yes');
		useStoreOf(user?.id ?? null);
		identity.user = user;
		if (user === null) identity.permissions = null;
		else identity.signedOut = false;
	}
});

/** False: the last session of this browser has ended, so asking for it would only be refused. */
export const mayBeSignedIn = (): boolean => readStored(SIGNED_IN) !== 'no';

const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(CHANNEL);
channel?.addEventListener('message', (event: MessageEvent<unknown>) => {
	if (event.data === 'signed-out') leaveForGood();
});

function leaveForGood(): void {
	personal().erase();
	identity.signedOut = true;
	session.clear();
}

/** Ends the session here and in the other tabs, with all that was kept for it. */
export function endSession(): void {
	leaveForGood();
	channel?.postMessage('signed-out');
}

export interface Abilities {
	readStatus: boolean;
	readUsers: boolean;
	writeUsers: boolean;
	readPrices: boolean;
	writePrices: boolean;
	readWallets: boolean;
	writeWallets: boolean;
	readBudgets: boolean;
	writeBudgets: boolean;
	readAllUsage: boolean;
	readFiles: boolean;
	writeFiles: boolean;
	readAgents: boolean;
	writeAgents: boolean;
	runAgents: boolean;
	manageTools: boolean;
	administer: boolean;
}

/** What to show; the services decide what is allowed. */
function abilities(permissions: string[]): Abilities {
	const has = (name: string) => permissions.includes(name);
	const readWallets = has('wallets:read');
	const readUsers = has('users:read');
	// Everyone may look up a price; the page is for those who keep the books.
	const readPrices = has('prices:write') || (has('prices:read') && (readWallets || readUsers));
	const readStatus = has('status:read');
	const manageTools = has('tools:manage');
	return {
		readStatus,
		readUsers,
		writeUsers: has('users:write'),
		readPrices,
		writePrices: has('prices:write'),
		readWallets,
		writeWallets: has('wallets:write'),
		readBudgets: has('budgets:read'),
		writeBudgets: has('budgets:write'),
		readAllUsage: has('usage:read_all'),
		readFiles: has('files:read'),
		writeFiles: has('files:write'),
		readAgents: has('agents:read'),
		writeAgents: has('agents:write'),
		runAgents: has('agents:run'),
		manageTools,
		administer: readStatus || readUsers || readPrices || readWallets || manageTools
	};
}
