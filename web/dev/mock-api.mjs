// A stand-in for the gateway, for working on pages without the services: `npm run mock`, then `npm run dev`.
// Everything lives in memory and is invented. It checks no password. Never part of a build.
//   MOCK_PORT (8000)  MOCK_SETUP=1: no account yet  MOCK_EMPTY=1: no chats, keys or usage  MOCK_LOADING=n: only the built-in model, which loads for n half seconds
//   MOCK_TOKEN_MS (24): time between tokens. A message with #wallet is refused, one with #short gets a short reply;
//   #length, #filter, #decline, #broke, #think, #leftout and #away play how a reply may end or wait; #tools, #approval, #cite, #again, #limit, #queue and #slow (together too) play what an agent does. MOCK_INGEST_MS (250): pace of indexing. MOCK_UPLOAD_MS: of a chunk.
import { createServer } from 'node:http';
import { agentRoutes, seedAgents } from './mock-agents.mjs';
import { fileRoutes, seedFiles } from './mock-files.mjs';
import {
	ahead,
	ago,
	newId,
	ORGANISATION,
	PERMISSIONS,
	Problem,
	seedChats,
	seedModels,
	seedPrices,
	seedUsers,
	TEAM,
	usageRows
} from './mock-data.mjs';
import { addReply, startTurn, stopTurn, stream, view } from './mock-turns.mjs';

const empty = process.env.MOCK_EMPTY === '1';
const total = 491_400_064;
const world = {
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
	wallet: {
		id: newId(),
		organisation_id: ORGANISATION,
		balance_nano: 42_180_000_000,
		held_nano: 20_000_000,
		available_nano: 42_160_000_000
	},
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

const page = (data, has_more = false) => ({
	object: 'list',
	data,
	has_more,
	last_id: data.at(-1)?.id ?? null
});
const tokenFor = (user) => ({ access_token: `mock-${user.id}`, token_type: 'Bearer', expires_in: 300, user });
const chatView = ({ messages: _, ...chat }) => chat;

function branch(chat) {
	const byId = new Map(chat.messages.map((m) => [m.id, m]));
	const out = [];
	for (let at = byId.get(chat.current_message_id); at; at = byId.get(at.parent_id))
		out.unshift(view(chat, at));
	return out;
}

function leafBelow(chat, id) {
	const child = chat.messages.findLast((m) => m.parent_id === id);
	return child ? leafBelow(chat, child.id) : id;
}

function chatOf(id) {
	const chat = world.chats.get(id);
	if (!chat) throw new Problem(404, 'not_found', 'There is no such chat.');
	return chat;
}

function post(chat, body) {
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

// [method, path with :parameters, handler(request)]; a handler returns JSON, or undefined when it answered itself.
const routes = [
	[
		'GET',
		'/api/v1/auth/config',
		() => ({
			name: 'Atrium',
			signup_open: true,
			setup_required: world.setup,
			setup_token_required: world.setup
		})
	],
	[
		'POST',
		'/api/v1/auth/signup',
		({ body }) => {
			if (body.email?.startsWith('taken'))
				throw new Problem(
					409,
					'email_taken',
					'An account with this e-mail address exists. Sign in instead.'
				);
			Object.assign(world.users[0], { name: body.name, email: body.email });
			world.setup = false;
			world.signedIn = true;
			return [201, tokenFor(world.users[0])];
		}
	],
	[
		'POST',
		'/api/v1/auth/signin',
		({ body }) => {
			if (body.password === 'wrong')
				throw new Problem(401, 'wrong_credentials', 'E-mail address or password is wrong.');
			world.signedIn = true;
			return tokenFor(world.users[0]);
		}
	],
	[
		'POST',
		'/api/v1/auth/refresh',
		() => {
			if (!world.signedIn) throw new Problem(401, 'unauthenticated', 'Sign in.');
			return tokenFor(world.users[0]);
		}
	],
	['POST', '/api/v1/auth/signout', () => ((world.signedIn = false), [204])],
	['GET', '/api/v1/auth/me', () => ({ ...world.users[0], permissions: PERMISSIONS })],
	['POST', '/api/v1/auth/password', () => [204]],
	[
		'GET',
		'/api/v1/auth/sessions',
		({ request }) =>
			page([
				{
					id: newId(),
					current: true,
					user_agent: request.headers['user-agent'],
					address: '127.0.0.1',
					created_at: ago(9e6),
					last_used_at: ago(1e4),
					expires_at: ahead(1e9)
				},
				{
					id: newId(),
					current: false,
					user_agent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Safari/605.1',
					address: '192.168.1.20',
					created_at: ago(9e8),
					last_used_at: ago(8e7),
					expires_at: ahead(1e9)
				}
			])
	],
	['DELETE', '/api/v1/auth/sessions/:id', () => [204]],
	['GET', '/api/v1/auth/api-keys', () => page(world.keys)],
	[
		'POST',
		'/api/v1/auth/api-keys',
		({ body }) => {
			const key = {
				id: newId(),
				name: body.name,
				prefix: 'atr-M0ck',
				models: body.models ?? [],
				scopes: null,
				limits: {},
				team_id: '',
				created_at: ago(0),
				expires_at: body.expires_in_s ? ahead(body.expires_in_s * 1000) : null,
				last_used_at: null
			};
			world.keys.unshift(key);
			return [201, { ...key, key: 'atr-M0ckDa9fJ3kQ2vT8xLrZ1nB6yWc4Hs7Ue5Pg0' }];
		}
	],
	[
		'DELETE',
		'/api/v1/auth/api-keys/:id',
		({ id }) => ((world.keys = world.keys.filter((k) => k.id !== id)), [204])
	],
	['GET', '/api/v1/admin/users', () => page(world.users)],
	[
		'DELETE',
		'/api/v1/admin/users/:id',
		({ id }) => ((world.users = world.users.filter((user) => user.id !== id)), [204])
	],
	[
		'GET',
		'/api/v1/admin/teams',
		() =>
			page([{ id: TEAM, organisation_id: ORGANISATION, name: 'Default', members: world.users.length }])
	],
	[
		'PATCH',
		'/api/v1/admin/users/:id',
		({ id, body }) =>
			Object.assign(
				world.users.find((u) => u.id === id),
				body
			)
	],
	[
		'GET',
		'/api/v1/status',
		() => ({
			status: 'degraded',
			version: '0.1.0',
			services: Object.fromEntries(
				[
					'gateway',
					'inference-service',
					'agent-service',
					'retrieval-service',
					'chat-service',
					'billing-service'
				].map((name, i) => [
					name,
					i === 2
						? { status: 'down', latency_ms: null }
						: { status: 'ok', latency_ms: 0.8 + i * 3.7 }
				])
			)
		})
	],
	['GET', '/api/v1/inference/models', () => page(world.models)],
	[
		'GET',
		'/api/v1/billing/entitlements',
		() => ({
			organisation_id: ORGANISATION,
			currency: 'USD',
			remaining_nano: world.remaining,
			wallet: world.wallet,
			budgets: world.budgets
		})
	],
	[
		'GET',
		'/api/v1/billing/usage',
		({ query }) => {
			const days =
				Math.round((Date.parse(query.get('to')) - Date.parse(query.get('from'))) / 86_400_000) + 1;
			const data = empty ? [] : usageRows(days);
			const sum = (name) => data.reduce((all, row) => all + row[name], 0);
			return {
				object: 'list',
				data,
				total: {
					requests: sum('requests'),
					input_tokens: sum('input_tokens'),
					output_tokens: sum('output_tokens'),
					cost_nano: sum('cost_nano')
				}
			};
		}
	],
	['GET', '/api/v1/billing/prices', () => page(world.prices)],
	[
		'PUT',
		'/api/v1/billing/prices',
		({ body }) => {
			world.prices = world.prices.filter((p) => p.model !== body.model);
			world.prices.push({
				id: newId(),
				free: false,
				input_nano_per_mtok: 0,
				output_nano_per_mtok: 0,
				effective_from: ago(0),
				effective_to: null,
				...body
			});
			return world.prices.at(-1);
		}
	],
	['GET', '/api/v1/billing/wallets', () => page([world.wallet])],
	[
		'POST',
		'/api/v1/billing/wallets/:id/top-ups',
		({ body }) => {
			const nano = Math.round(Number(body.amount) * 1e9);
			world.wallet.balance_nano += nano;
			world.wallet.available_nano += nano;
			return [201, { id: newId(), amount_nano: nano, wallet: world.wallet }];
		}
	],
	['GET', '/api/v1/billing/budgets', () => page(world.budgets)],
	[
		'PUT',
		'/api/v1/billing/budgets',
		({ body }) => {
			const limit_nano = Math.round(Number(body.limit) * 1e9);
			const found = world.budgets.find(
				(b) => b.scope === body.scope && b.scope_id === body.scope_id && b.window === body.window
			);
			const budget = Object.assign(
				found ?? { id: newId(), ...body, spent_nano: 0, held_nano: 0, resets_at: null },
				{ limit_nano, remaining_nano: limit_nano }
			);
			if (!found) world.budgets.push(budget);
			return budget;
		}
	],
	[
		'DELETE',
		'/api/v1/billing/budgets/:id',
		({ id }) => ((world.budgets = world.budgets.filter((b) => b.id !== id)), [204])
	],
	[
		'GET',
		'/api/v1/chats',
		() =>
			page(
				[...world.chats.values()]
					.sort((a, b) => b.updated_at.localeCompare(a.updated_at))
					.map(chatView)
			)
	],
	[
		'POST',
		'/api/v1/chats',
		({ body }) => {
			const chat = {
				id: newId(),
				title: body.title ?? 'New chat',
				model: body.model ?? null,
				knowledge_base_ids: body.knowledge_base_ids ?? [],
				agent_id: body.agent_id ?? null,
				current_message_id: null,
				archived: false,
				created_at: ago(0),
				updated_at: ago(0),
				messages: []
			};
			world.chats.set(chat.id, chat);
			return [201, chatView(chat)];
		}
	],
	['GET', '/api/v1/chats/:id', ({ id }) => chatView(chatOf(id))],
	[
		'PATCH',
		'/api/v1/chats/:id',
		({ id, body }) => {
			const chat = chatOf(id);
			if (body.current_message_id) body.current_message_id = leafBelow(chat, body.current_message_id);
			return chatView(Object.assign(chat, body));
		}
	],
	['DELETE', '/api/v1/chats/:id', ({ id }) => (world.chats.delete(id), [204])],
	[
		'GET',
		'/api/v1/chats/:id/messages',
		({ id, query }) => {
			const all = branch(chatOf(id));
			const before = query.get('before');
			const upTo = before ? all.findIndex((m) => m.id === before) : all.length;
			const from = Math.max(0, upTo - Number(query.get('limit') ?? 50));
			return page(all.slice(from, upTo), from > 0);
		}
	],
	[
		'POST',
		'/api/v1/chats/:id/messages',
		({ id, body, response }) => stream(response, post(chatOf(id), body), 0)
	],
	[
		'POST',
		'/api/v1/chats/:id/messages/:mid/regenerate',
		({ id, mid, body, response }) => {
			const chat = chatOf(id);
			const old = chat.messages.find((m) => m.id === mid);
			const question = chat.messages.find((m) => m.id === old.parent_id);
			const reply = addReply(chat, question, body?.model);
			startTurn(chat, question, reply, world);
			stream(response, reply, 0);
		}
	],
	[
		'POST',
		'/api/v1/chats/:id/messages/:mid/continue',
		({ id, mid, response }) => {
			const chat = chatOf(id);
			const reply = chat.messages.find((m) => m.id === mid);
			reply.status = 'streaming';
			startTurn(
				chat,
				chat.messages.find((m) => m.id === reply.parent_id),
				reply,
				world
			);
			stream(response, reply, 0);
		}
	],
	[
		'POST',
		'/api/v1/chats/:id/messages/:mid/stop',
		({ id, mid }) => (
			stopTurn(mid),
			view(
				chatOf(id),
				chatOf(id).messages.find((m) => m.id === mid)
			)
		)
	],
	[
		'GET',
		'/api/v1/chats/:id/messages/:mid/stream',
		({ id, mid, request, response }) => {
			const reply = chatOf(id).messages.find((m) => m.id === mid);
			stream(response, reply, Number(request.headers['last-event-id'] ?? 0));
		}
	],
	...fileRoutes(world),
	...agentRoutes(world)
].map(([method, path, handler]) => ({
	method,
	handler,
	pattern: new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`)
}));

function answer(response, status, body, type = 'application/json') {
	response.writeHead(status, { 'content-type': type });
	response.end(body === undefined ? undefined : JSON.stringify(body));
}

async function readBody(request) {
	const parts = [];
	for await (const chunk of request) parts.push(chunk);
	const raw = Buffer.concat(parts);
	const json = raw.length > 0 && request.headers['content-type'] !== 'application/octet-stream';
	return { raw, body: json ? JSON.parse(raw.toString()) : undefined };
}

createServer(async (request, response) => {
	const url = new URL(request.url, 'http://mock');
	const route = routes.find((r) => r.method === request.method && r.pattern.test(url.pathname));
	try {
		if (!route) throw new Problem(404, 'not_found', `The mock has no ${request.method} ${url.pathname}.`);
		const { raw, body } = await readBody(request);
		const result = await route.handler({
			...route.pattern.exec(url.pathname).groups,
			query: url.searchParams,
			raw,
			body,
			request,
			response
		});
		if (result === undefined) return;
		if (Array.isArray(result)) answer(response, result[0], result[1]);
		else answer(response, 200, result);
	} catch (error) {
		const problem = error instanceof Problem ? error : new Problem(500, 'mock_failed', String(error));
		answer(response, problem.body.status, problem.body, 'application/problem+json');
	}
}).listen(Number(process.env.MOCK_PORT ?? 8000), '127.0.0.1', function () {
	console.log(`mock API on http://127.0.0.1:${this.address().port}`);
});
