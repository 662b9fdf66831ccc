// @ts-check
/** @typedef {import('../src/lib/api/agents').Agent} Agent */
/** @typedef {import('../src/lib/api/agents').McpServer} McpServer */
// Agents, tools and MCP servers of the development API, and what a reply with tools looks like.
import { ago, newId, Problem, TEAM } from './mock-data.mjs';
import { passages } from './mock-files.mjs';

export const ASSISTANT = 'a0000000-0000-4000-8000-00000000a001';
const LIMITS = { steps_max: 10, tokens_max: 100_000, cost_nano_max: null, duration_s_max: 600 };
const list = (data) => ({ object: 'list', data, has_more: false, last_id: data.at(-1)?.id ?? null });

/** @returns {import('../src/lib/api/agents').Agent[]} */
export function seedAgents(empty) {
	/**
	 * @param {Partial<Agent>} fields
	 * @returns {Agent}
	 */
	const agent = (fields) => ({
		id: newId(),
		name: '',
		description: '',
		instructions: '',
		model: null,
		tools: [],
		knowledge_base_ids: [],
		access: 'private',
		limits: LIMITS,
		built_in: false,
		writable: true,
		created_at: ago(9e8),
		updated_at: ago(8e7),
		...fields
	});
	const assistant = agent({
		id: ASSISTANT,
		name: 'Assistant',
		description: 'Calculates, looks into your documents and runs code.',
		access: 'organisation',
		built_in: true,
		writable: false,
		tools: ['calculator', 'datetime', 'search_documents', 'python'].map((name) => ({
			name,
			approval: 'never'
		}))
	});
	if (empty) return [assistant];
	return [
		assistant,
		agent({
			name: 'Contract reader',
			description: 'Answers from the contracts, with their page, and asks before it runs code.',
			instructions: 'Answer from the contracts only.',
			tools: [
				{ name: 'search_documents', approval: 'never' },
				{ name: 'python', approval: 'always' }
			]
		}),
		agent({
			name: 'Travel desk',
			description: 'Knows the rules for travel.',
			access: 'organisation',
			writable: false,
			tools: [{ name: 'time__get_current_time', approval: 'never' }]
		})
	];
}

/** @type {import('../src/lib/api/agents').Tool[]} */
const TOOLS = [
	['calculator', 'Calculator', 'Works out an arithmetic expression exactly.', 'built-in'],
	['datetime', 'Date and time', 'The date and time in a time zone, and between two dates.', 'built-in'],
	[
		'search_documents',
		'Search in documents',
		'Passages of your files and knowledge bases for a question.',
		'built-in'
	],
	[
		'python',
		'Python',
		'Runs Python in a sandbox without a network; numpy, pandas and matplotlib are there.',
		'built-in',
		'The sandbox needs Landlock, which this kernel does not have.'
	],
	['time__get_current_time', 'Current time', 'Get current time in a specific timezone', 'time'],
	['everything__echo', 'Echo', 'Echoes back the input string', 'everything']
].map(([name, title, description, source, reason]) => ({
	name,
	title,
	description,
	source,
	parameters: { type: 'object' },
	available: !reason,
	unavailable_reason: reason ?? null
}));

/**
 * @param {Partial<Omit<McpServer, 'status'>> & { status?: Partial<McpServer['status']> }} fields
 * @returns {McpServer}
 */
const server = (fields) => ({
	id: newId(),
	name: '',
	source: 'api',
	transport: 'streamable_http',
	url: null,
	command: null,
	header_names: [],
	tools: null,
	enabled: true,
	connect_timeout_s: 15,
	call_timeout_s: 60,
	access: { roles: [], team_ids: [], user_ids: [] },
	approval: 'unless_read_only',
	created_at: ago(9e7),
	updated_at: ago(9e7),
	...fields,
	status: {
		state: 'ok',
		connected: true,
		checked_at: ago(6e4),
		latency_ms: 41.3,
		tool_count: 2,
		error: null,
		calls: 12,
		failures: 0,
		...fields.status
	}
});
const servers = [
	server({
		name: 'time',
		source: 'file',
		transport: 'stdio',
		command: 'mcp-server-time --local-timezone UTC',
		access: { roles: ['user', 'team-admin'], team_ids: [], user_ids: [] },
		approval: 'never'
	}),
	server({
		name: 'everything',
		url: 'http://127.0.0.1:3001/mcp',
		header_names: ['Authorization'],
		access: { roles: [], team_ids: [TEAM], user_ids: [] },
		approval: 'always',
		status: { tool_count: 11 }
	}),
	server({
		name: 'tickets',
		url: 'https://tickets.example.com/mcp',
		status: {
			state: 'failing',
			connected: false,
			latency_ms: null,
			tool_count: null,
			error: 'The server refused the connection.',
			calls: 4,
			failures: 4
		}
	})
];

const decisions = new Map();
const A = '/api/v1/agents';
const PLOT = `<svg xmlns="http://www.w3.org/2000/svg" width="560" height="320" viewBox="0 0 420 240" font-family="sans-serif" font-size="11"><rect width="420" height="240" fill="#fff"/><path d="M40 200H400M40 200V20" stroke="#444" fill="none"/>${[40, 90, 62, 130, 105, 160].map((h, i) => `<rect x="${60 + i * 56}" y="${200 - h}" width="34" height="${h}" fill="#0f6e63"/>`).join('')}<text x="160" y="228">Requests a month</text></svg>`;

export const agentRoutes = (world) => [
	['GET', A, () => list(world.agents)],
	[
		'POST',
		A,
		({ body }) => {
			if (body.name === 'fail')
				throw new Problem(422, 'invalid', 'the name is taken', {
					errors: [{ field: 'name', message: 'The name is taken.' }]
				});
			const agent = {
				id: newId(),
				built_in: false,
				writable: true,
				created_at: ago(0),
				updated_at: ago(0),
				...body
			};
			world.agents.push(agent);
			return [201, agent];
		}
	],
	['GET', `${A}/tools`, () => list(TOOLS)],
	['GET', `${A}/mcp-servers`, () => list(servers)],
	[
		'POST',
		`${A}/mcp-servers`,
		({ body }) => {
			const { headers, ...rest } = body;
			servers.push(
				server({
					...rest,
					header_names: Object.keys(headers ?? {}),
					status: {
						state: 'unchecked',
						connected: false,
						checked_at: null,
						tool_count: null,
						latency_ms: null,
						calls: 0
					}
				})
			);
			return [201, servers.at(-1)];
		}
	],
	[
		'PATCH',
		`${A}/mcp-servers/:id`,
		({ id, body: { headers, ...body } }) =>
			Object.assign(
				servers.find((s) => s.id === id),
				body,
				headers ? { header_names: Object.keys(headers) } : {}
			)
	],
	[
		'POST',
		`${A}/mcp-servers/:id/check`,
		({ id }) => {
			const one = servers.find((s) => s.id === id);
			const ok = one.name !== 'tickets';
			Object.assign(one.status, {
				state: ok ? 'ok' : 'failing',
				connected: ok,
				checked_at: ago(0),
				tool_count: ok ? 2 : null,
				latency_ms: ok ? 38 : null
			});
			return {
				ok,
				latency_ms: one.status.latency_ms,
				error: one.status.error,
				tools: ok ? TOOLS.slice(4) : []
			};
		}
	],
	[
		'DELETE',
		`${A}/mcp-servers/:id`,
		({ id }) => (
			servers.splice(
				servers.findIndex((s) => s.id === id),
				1
			),
			[204]
		)
	],
	[
		'POST',
		`${A}/runs/:run/approvals/:call`,
		({ run, call, body }) => (
			decisions.get(`${run}/${call}`)?.(body.decision),
			{ step: 2, call_id: call }
		)
	],
	[
		'GET',
		`${A}/runs/:run/files/:file`,
		({ response }) => {
			response.writeHead(200, { 'content-type': 'image/svg+xml' });
			response.end(PLOT);
		}
	],
	[
		'PATCH',
		`${A}/:id`,
		({ id, body }) =>
			Object.assign(
				world.agents.find((a) => a.id === id),
				body
			)
	],
	['DELETE', `${A}/:id`, ({ id }) => ((world.agents = world.agents.filter((a) => a.id !== id)), [204])]
];

const CODE = `import matplotlib.pyplot as plt

months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun"]
requests = [40, 90, 62, 130, 105, 160]
plt.bar(months, requests, color="#0f6e63")
print("mean", sum(requests) / len(requests))
plt.savefig("requests.png")`;

/**
 * Plays what the question asks for: #tools, #approval, #cite, #again (a step that is cut and runs again),
 * #limit (it ends at a limit), #queue (its model is busy before it answers), #slow (Python takes its time).
 * @returns its text, or null
 */
export async function playTools(question, { reply, world, emit, pause, say }) {
	const asks = (mark) => question.includes(mark);
	if (!['#tools', '#approval', '#cite', '#again'].some(asks)) return null;
	let step = 0;
	const begin = (kind, title, attempt = 1) =>
		emit('step', { step: (step += attempt > 1 ? 0 : 1), attempt, kind, title });
	const call = async (name, title, args, result, extra = {}) => {
		begin('tool', title);
		const base = {
			step,
			call_id: `call_${reply.id.slice(-4)}_${step}`,
			name,
			title,
			arguments: args,
			result: null,
			files: [],
			duration_ms: null
		};
		if (extra.approval) {
			emit('tool', { ...base, status: 'awaiting_approval' });
			const decision = await new Promise((resolve) =>
				decisions.set(`${reply.id}/${base.call_id}`, resolve)
			);
			if (decision === 'deny')
				return emit('tool', {
					...base,
					status: 'denied',
					result: 'A person did not allow this call.'
				});
		}
		emit('tool', { ...base, status: 'running' });
		await pause(asks('#slow') && name === 'python' ? 9_000 : 400);
		emit('tool', {
			...base,
			status: extra.status ?? 'done',
			result,
			files: extra.files ?? [],
			duration_ms: 412
		});
	};
	if (asks('#cite')) {
		if (!asks('#tools')) begin('retrieval', 'Looking in 2 knowledge bases');
		await pause(600);
		for (const passage of passages(world)) emit('citation', passage);
	}
	begin('model', 'Thinking');
	if (asks('#again')) {
		await say('This was written before the crash and is void. ');
		begin('model', 'Thinking', 2);
	}
	if (asks('#tools')) {
		await call('calculator', 'Calculator', { expression: '37 * 91' }, '3367');
		await call(
			'time__get_current_time',
			'Current time',
			{ timezone: 'Mars/Olympus' },
			'There is no time zone Mars/Olympus.',
			{ status: 'failed' }
		);
	}
	if (asks('#tools') || asks('#approval')) {
		const file = {
			file_id: newId(),
			name: 'requests.svg',
			content_type: 'image/svg+xml',
			size_bytes: 1200,
			url: `/api/v1/agents/runs/${reply.id}/files/1`
		};
		const data = {
			...file,
			file_id: newId(),
			name: 'requests.csv',
			content_type: 'text/csv',
			size_bytes: 5300
		};
		await call('python', 'Python', { code: CODE }, 'mean 97.83333333333333\n', {
			approval: asks('#approval'),
			files: [file, data]
		});
		begin('model', 'Answering');
	}
	if (asks('#queue')) {
		emit('waiting', { reason: 'model_busy', progress: null });
		await pause(Number(process.env.MOCK_AWAY_MS ?? 4_000));
	}
	if (asks('#limit')) {
		await say('37 × 91 is **3367**. For the chart I would have to');
		return 'steps_exhausted';
	}
	await say(
		asks('#cite')
			? 'You have **twenty-five working days** of leave a year [1]. Up to five move to the next year and lapse at the end of March [2], [3].\n\n- Ask for it in the portal two weeks ahead [2].\n- In code `days[1]` stays code:\n\n```python\nleft = days[1] - days[2]\n```\n'
			: '37 × 91 is **3367**. The chart shows the requests of each month; their mean is 97.8.'
	);
	return reply.content;
}
