/** A chat as the page shows it: the active branch, the running reply, and what one can do with them. */
import { t } from '$lib/i18n';
import { decide } from '$lib/api/agents';
import * as api from '$lib/api/chats';
import { isAbort, toApiError, type ApiError } from '$lib/api/errors';
import type { Attachment, Chat, Message, ReplyError } from '$lib/api/types';
import { chats } from '$lib/state/chats.svelte';
import { entitlements } from '$lib/state/entitlements.svelte';
import { models } from '$lib/state/models.svelte';
import { personal } from '$lib/state/storage';
import { toasts } from '$lib/state/toasts.svelte';
import { before, lastOf, localMessage, mergeEnd, replaceById } from './branch';
import type { Written } from './drafts';
import { dropOutgoing, hasArrived, keepOutgoing, newOutgoing, type Outgoing } from './outgoing';
import { newReply, replyAsMessage, type Reply } from './reply';
import { Turn } from './turn';

/** A turn the server refused before it stored anything. */
export interface Unsent {
	/** What was typed; null when a stored message was to be answered again. */
	content: string | null;
	attachments: Attachment[];
	error: ReplyError;
	/** Tries exactly the same again; what arrived the first time is not done twice. */
	again: () => void;
}

interface TurnPlan {
	/** The branch to show while the turn runs, ending with the reply's placeholder. */
	shown: Message[];
	reply: Reply;
	start?: api.StartTurn;
	/** What was written, kept until it arrived, and given back when it is refused. */
	sent?: Outgoing;
}

export class Thread {
	readonly chatId: string;
	chat = $state.raw<Chat | null>(null);
	messages = $state.raw<Message[]>([]);
	hasMore = $state(false);
	loading = $state(true);
	loadingEarlier = $state(false);
	/** The last try to load earlier messages failed: the next one is the reader's to ask for. */
	earlierFailed = $state(false);
	error = $state.raw<ApiError | null>(null);
	reply = $state.raw<Reply | null>(null);
	retrying = $state(false);
	stopping = $state(false);
	unsent = $state.raw<Unsent | null>(null);
	/** Which message is being answered: the placeholder until the server named the reply. */
	replyingId = $state<string | null>(null);
	#turn: Turn | null = null;
	#begun = false;
	/** Stored id -> the local id it was first shown under, so that its element stays. */
	#keys = new Map<string, string>();
	#onRefused: (content: string, attachments: Attachment[]) => void;

	constructor(chatId: string, onRefused: (content: string, attachments: Attachment[]) => void) {
		this.chatId = chatId;
		this.#onRefused = onRefused;
	}

	get running(): boolean {
		return this.reply !== null;
	}

	keyOf(message: Message): string {
		return this.#keys.get(message.id) ?? message.id;
	}

	async load(): Promise<void> {
		this.loading = true;
		this.error = null;
		try {
			const [chat, page] = await Promise.all([api.getChat(this.chatId), api.listMessages(this.chatId)]);
			this.chat = chat;
			this.messages = page.data;
			this.hasMore = page.has_more;
			this.#resume();
		} catch (error) {
			this.error = toApiError(error);
		} finally {
			this.loading = false;
		}
	}

	/** It was made just now, and the server refused all that was sent to it, not for a fault of its own. */
	get refusedAtOnce(): boolean {
		const status = this.unsent?.error.status ?? 0;
		const refused = status >= 400 && status < 500;
		return this.#begun && refused && this.messages.length === 0 && !this.running;
	}

	/** A chat that was made just now holds nothing yet: its first message is sent without asking for it. */
	begin(chat: Chat, first: Outgoing): void {
		this.#begun = true;
		this.chat = chat;
		this.loading = false;
		void this.#deliver(first, []);
	}

	/** Sends again what had not arrived when the page went away; the server does nothing twice. */
	resend(entry: Outgoing): void {
		if (hasArrived(entry, this.messages)) dropOutgoing(entry.key);
		else void this.#deliver(entry, this.#shownBefore(entry));
	}

	#shownBefore({ body }: Outgoing): Message[] {
		if (body.parent_id === undefined) return this.messages;
		const at = this.messages.findIndex(({ id }) => id === body.parent_id);
		return this.messages.slice(0, at + 1);
	}

	async loadEarlier(): Promise<void> {
		const first = this.messages[0];
		if (!first || !this.hasMore || this.loadingEarlier) return;
		this.loadingEarlier = true;
		this.earlierFailed = false;
		try {
			const page = await api.listMessages(this.chatId, first.id);
			// Meanwhile another branch may be shown, or nothing of it: then these are not what is before it.
			if (this.messages[0]?.id !== first.id) return;
			this.messages = [...page.data, ...this.messages];
			this.hasMore = page.has_more;
		} catch (error) {
			this.earlierFailed = true;
			toasts.danger(t('chat.earlierMessagesDidNot', { message: toApiError(error).message }));
		} finally {
			this.loadingEarlier = false;
		}
	}

	/** Stops listening; a running reply goes on at the server. */
	leave(): void {
		this.#turn?.leave();
		this.#turn = null;
	}

	send(content: string, model: string | null, attachments: Attachment[] = []): Promise<void> {
		const last = this.messages.at(-1);
		// A message follows a reply; after a question that got none, the server finds the place.
		const parent = last ? (last.role === 'assistant' ? last.id : undefined) : null;
		return this.#post({ content, attachments }, model, { shown: this.messages, parent });
	}

	/** The edited text starts another branch beside the message it replaces, with the same files. */
	edit(message: Message, content: string, model: string | null): Promise<void> {
		return this.#post({ content, attachments: message.attachments }, model, {
			shown: before(this.messages, message.id),
			parent: message.parent_id
		});
	}

	#post(
		written: Written,
		model: string | null,
		at: { shown: Message[]; parent: string | null | undefined }
	): Promise<void> {
		const { content, attachments } = written;
		const files = attachments.map((file) => file.file_id);
		const body = {
			content,
			parent_id: at.parent,
			model: model ?? undefined,
			attachments: files.length > 0 ? files : undefined
		};
		return this.#deliver(newOutgoing({ chatId: this.chatId, body, attachments }), at.shown);
	}

	#deliver(entry: Outgoing, shown: Message[]): Promise<void> {
		const { body, attachments } = entry;
		const question = localMessage(this.chatId, {
			role: 'user',
			content: body.content,
			attachments,
			parent_id: body.parent_id ?? null
		});
		const answer = this.#answer(question.id, body.model ?? null);
		return this.#run({
			shown: [...shown, question, answer],
			reply: newReply(),
			start: api.postMessage(this.chatId, body, entry.key),
			sent: entry
		});
	}

	/** Where a reply will be, with who writes it. */
	#answer(parent_id: string | null, model: string | null): Message {
		return localMessage(this.chatId, {
			role: 'assistant',
			parent_id,
			model,
			agent_id: this.chat?.agent_id ?? null
		});
	}

	regenerate(message: Message, model: string | null): Promise<void> {
		const answer = this.#answer(message.parent_id, model);
		const body = { model: model ?? undefined };
		return this.#run({
			shown: [...before(this.messages, message.id), answer],
			reply: newReply(),
			start: api.regenerate(this.chatId, message.id, body)
		});
	}

	continueReply(message: Message): Promise<void> {
		return this.#run({
			shown: replaceById(this.messages, message.id, { ...message, status: 'streaming', error: null }),
			reply: newReply(message.id, message),
			start: api.continueReply(this.chatId, message.id)
		});
	}

	async stop(): Promise<void> {
		const id = this.reply?.id;
		if (!id || this.stopping) return;
		this.stopping = true;
		try {
			await api.stopReply(this.chatId, id);
		} catch (error) {
			this.stopping = false;
			toasts.danger(t('chat.theReplyWasNot', { message: toApiError(error).message }));
		}
	}

	/** Shows the branch the given alternative is on. */
	async switchTo(messageId: string): Promise<void> {
		this.#detach();
		try {
			this.chat = await api.updateChat(this.chatId, { current_message_id: messageId });
			await this.#readEnd();
			this.#resume();
		} catch (error) {
			toasts.danger(t('chat.theOtherVersionDid', { message: toApiError(error).message }));
		}
	}

	/** What replies from now on are written by and looked up in. */
	async set(change: Pick<api.ChatChange, 'model' | 'agent_id' | 'knowledge_base_ids'>): Promise<void> {
		if (!this.chat) return;
		const previous = this.chat;
		this.chat = { ...previous, ...change };
		try {
			this.chat = await api.updateChat(this.chatId, change);
		} catch (error) {
			this.chat = previous;
			toasts.danger(t('chat.thisChatWasNot', { message: toApiError(error).message }));
		}
	}

	/** Lets an agent go on with a call it asked about, or not. */
	async decide(callId: string, decision: 'approve' | 'deny'): Promise<void> {
		const id = this.reply?.id;
		if (!id) return;
		try {
			await decide(id, callId, decision);
		} catch (error) {
			const problem = toApiError(error);
			toasts.danger(
				problem.status === 409
					? problem.message
					: t('chat.yourDecisionDidNot', { message: problem.message })
			);
		}
	}

	lastQuestion(): Message | null {
		return lastOf(this.messages, 'user');
	}

	#detach(): void {
		this.leave();
		this.reply = null;
		this.replyingId = null;
		this.stopping = false;
		this.retrying = false;
	}

	#resume(): void {
		const leaf = this.messages.at(-1);
		if (leaf?.role !== 'assistant' || leaf.status !== 'streaming') return;
		void this.#run({ shown: this.messages, reply: newReply(leaf.id, leaf) });
	}

	async #run(plan: TurnPlan): Promise<void> {
		const { sent } = plan;
		// Before anything else: the page may be gone the next moment.
		if (sent) keepOutgoing(sent);
		this.#detach();
		const previous = this.messages;
		this.unsent = null;
		this.messages = plan.shown;
		this.reply = plan.reply;
		this.replyingId = plan.reply.id ?? plan.shown.at(-1)?.id ?? null;
		const store = personal();
		const turn = new Turn({
			chatId: this.chatId,
			reply: plan.reply,
			start: plan.start,
			arrived: sent && (() => dropOutgoing(sent.key, store)),
			changed: (reply) => this.#show(reply),
			connection: (state) => (this.retrying = state === 'retrying')
		});
		this.#turn = turn;
		try {
			await this.#ended(turn, await turn.run());
		} catch (error) {
			if (!turn.left && !isAbort(error))
				await this.#broken(turn, plan, { previous, error: toApiError(error) });
		}
	}

	/** Takes the stored question and the reply's own id as soon as the server sends them. */
	#show(reply: Reply): void {
		const { question, id } = reply;
		if (id !== null && this.replyingId !== null && id !== this.replyingId) this.#name(id, question);
		if (reply.waiting && !this.reply?.waiting) models.wake();
		this.reply = reply;
	}

	#name(id: string, question: Message | null): void {
		const placeholder = this.messages.at(-1);
		if (!placeholder) return;
		this.#keys.set(id, placeholder.id);
		const before = this.messages.at(-2);
		let head = this.messages.slice(0, -1);
		if (question?.role === 'user' && before?.role === 'user') {
			if (question.id !== before.id) this.#keys.set(question.id, before.id);
			head = [...head.slice(0, -1), question];
		}
		this.messages = [...head, { ...placeholder, id, parent_id: head.at(-1)?.id ?? null }];
		this.replyingId = id;
	}

	async #ended(turn: Turn, reply: Reply): Promise<void> {
		if (turn.left) return;
		this.#show(reply);
		const shown = this.messages.at(-1);
		if (shown) this.messages = replaceById(this.messages, shown.id, replyAsMessage(reply, shown));
		this.#detach();
		chats.touch(this.chatId);
		entitlements.learn(reply.usage?.remaining_nano ?? null);
		await this.#readEnd().catch(() => undefined);
	}

	async #broken(
		turn: Turn,
		plan: TurnPlan,
		failed: { previous: Message[]; error: ApiError }
	): Promise<void> {
		const { previous, error } = failed;
		const { sent } = plan;
		const stored = turn.begun || plan.start === undefined;
		if (sent) dropOutgoing(sent.key);
		this.#detach();
		if (stored) {
			toasts.danger(error.message);
			await this.#readEnd().catch(() => undefined);
			return;
		}
		const { code, status, message: detail } = error;
		const extra = { ...error.extra, request_id: error.requestId };
		const again = () => void this.#run(plan);
		const content = sent?.body.content ?? null;
		this.unsent = {
			content,
			attachments: sent?.attachments ?? [],
			error: { code, detail, status, extra },
			again
		};
		this.messages = previous;
		if (sent) this.#onRefused(sent.body.content, sent.attachments);
	}

	/** Reads the end of the branch again: alternatives, stored texts and costs as the server has them. */
	async #readEnd(): Promise<void> {
		const page = await api.listMessages(this.chatId);
		if (this.running) return;
		const { messages, kept } = mergeEnd(this.messages, page.data);
		this.messages = messages;
		if (!kept || messages.length === page.data.length) this.hasMore = page.has_more;
	}
}
