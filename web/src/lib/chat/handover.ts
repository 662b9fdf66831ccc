/**
 * A chat that was made just now travels from the start page to its own, with its first message: nothing is
 * asked for twice.
 */
import type { Chat } from '$lib/api/types';
import type { Outgoing } from './outgoing';

interface Handed {
	chat: Chat;
	first: Outgoing;
}

let handed: Handed | null = null;

export function handOver(chat: Chat, first: Outgoing): void {
	handed = { chat, first };
}

export function takeOver(chatId: string): Handed | null {
	const taken = handed?.chat.id === chatId ? handed : null;
	handed = null;
	return taken;
}
