// @ts-check
// The routes of the mock: [method, path with :parameters, handler(request)]; a handler returns JSON, or
// undefined when it answered itself.
import { agentRoutes } from './mock-agents.mjs';
import { fileRoutes } from './mock-files.mjs';
import { ahead, ago, newId, ORGANISATION, PERMISSIONS, Problem, TEAM, usageRows } from './mock-data.mjs';
import { addReply, startTurn, stopTurn, stream, view } from './mock-turns.mjs';
import { world, empty, page, tokenFor, chatView, branch, leafBelow, chatOf, post } from './mock-world.mjs';

export const routes = [
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
];
