// @ts-check
// What the mock knows while it runs, and what its routes do with it.
import { seedAgents } from './mock-agents.mjs';
import { seedFiles } from './mock-files.mjs';
import {
	ahead,
	ago,
	newId,
	ORGANISATION,
	Problem,
	seedChats,
	seedModels,
	seedPrices,
	seedUsers
} from './mock-data.mjs';
import { addReply, startTurn, view } from './mock-turns.mjs';

export const empty = process.env.MOCK_EMPTY === '1';
const total = 491_400_064;
export const world = {
	setup: process.env.MOCK_SETUP === '1',
	signedIn: process.env.MOCK_SIGNED_IN === '1',
	users: seedUsers(),
	chats: empty ? new Map() : seedChats(),
	models: seedModels().filter((model) => process.env.MOCK_LOADING === undefined || model.builtin),
	prices: seedPrices(),
	keys: empty
		? []
		: [
				{
					id: newId(),
					name: 'Nightly report',
					prefix: 'atr-7Qx2',
					models: [],
					scopes: null,
					limits: {},
					team_id: '',
					created_at: ago(9e8),
					expires_at: ahead(5e9),
					last_used_at: ago(7e6)
				}
			],
	agents: seedAgents(empty),
	...seedFiles(empty),
	remaining: 4_999_995_540,
	/** @type {import('../src/lib/api/types').Wallet} */
	wallet: {
		id: newId(),
		organisation_id: ORGANISATION,
		balance_nano: 42_180_000_000,
		balance: { amount: '42.18', currency: 'USD' },
		held_nano: 20_000_000,
		available_nano: 42_160_000_000,
		available: { amount: '42.16', currency: 'USD' }
	},
	/** @type {import('../src/lib/api/types').Budget[]} */
	budgets: [],
	loadingTicks: Number(process.env.MOCK_LOADING ?? 0),
	loadingFrom: Number(process.env.MOCK_LOADING ?? 0),
	progress() {
		const share = 1 - this.loadingTicks / Math.max(1, this.loadingFrom);
		return {
			state: 'downloading',
			downloaded_bytes: Math.round(total * share),
			total_bytes: total,
			eta_s: this.loadingTicks / 2
		};
	}
};
world.budgets.push(
	{
		id: newId(),
		scope: 'user',
		scope_id: world.users[0].id,
		window: 'month',
		limit_nano: 5_000_000_000,
		spent_nano: 4_120_000_000,
		held_nano: 0,
		remaining_nano: 880_000_000,
		resets_at: ahead(8e8),
		is_default: true
	},
	{
		id: newId(),
		scope: 'organisation',
		scope_id: ORGANISATION,
		window: 'day',
		limit_nano: 20_000_000_000,
		spent_nano: 1_250_000_000,
		held_nano: 20_000_000,
		remaining_nano: 18_730_000_000,
		resets_at: ahead(3e7),
		is_default: false
	}
);
function tick() {
	world.models[0].status = world.loadingTicks > 0 ? 'loading' : 'ready';
	world.models[0].progress = world.loadingTicks > 0 ? world.progress() : null;
	world.loadingTicks = Math.max(0, world.loadingTicks - 1);
}
tick();
setInterval(tick, 500).unref();

export const page = (data, has_more = false) => ({
	object: 'list',
	data,
	has_more,
	last_id: data.at(-1)?.id ?? null
});
export const tokenFor = (user) => ({
	access_token: `mock-${user.id}`,
	token_type: 'Bearer',
	expires_in: 300,
	user
});
export const chatView = ({ messages: _, ...chat }) => chat;

export function branch(chat) {
	const byId = new Map(chat.messages.map((m) => [m.id, m]));
	const out = [];
	for (let at = byId.get(chat.current_message_id); at; at = byId.get(at.parent_id))
		out.unshift(view(chat, at));
	return out;
}

export function leafBelow(chat, id) {
	const child = chat.messages.findLast((m) => m.parent_id === id);
	return child ? leafBelow(chat, child.id) : id;
}

export function chatOf(id) {
	const chat = world.chats.get(id);
	if (!chat) throw new Problem(404, 'not_found', 'There is no such chat.');
	return chat;
}

export function post(chat, body) {
	if (body.content.includes('#refuse'))
		throw new Problem(
			429,
			'too_many_requests',
			'You sent many messages in a short time. Wait ten seconds.',
			{ retry_after_s: 10 }
		);
	const parent_id = body.parent_id === undefined ? chat.current_message_id : body.parent_id;
	const now = new Date().toISOString();
	const question = {
		id: newId(),
		chat_id: chat.id,
		parent_id,
		role: 'user',
		content: body.content,
		model: null,
		status: 'complete',
		error: null,
		usage: null,
		created_at: now,
		updated_at: now
	};
	question.attachments = (body.attachments ?? [])
		.map((id) => world.files.find((f) => f.document_id === id))
		.map((f) => ({
			file_id: f.document_id,
			filename: f.filename,
			content_type: f.content_type,
			size_bytes: f.size_bytes
		}));
	chat.messages.push(question);
	const reply = addReply(chat, question, body.model);
	startTurn(chat, question, reply, world);
	return reply;
}
