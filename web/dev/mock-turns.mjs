// @ts-check
// Turns of the development API: a scripted reply whose events are kept, so that a reload can join it.
import { playTools } from './mock-agents.mjs';
import { newId, REPLY } from './mock-data.mjs';

const TOKEN_MS = Number(process.env.MOCK_TOKEN_MS ?? 24);
const THOUGHTS =
	'The question is about ledgers. A ledger in balance needs two entries for each amount: one account gives, another takes.\n\nSo I explain that first, then show an example with three transfers.';
const turns = new Map();
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function siblingsOf(chat, message) {
	return chat.messages
		.filter((m) => m.parent_id === message.parent_id && m.role === message.role)
		.map((m) => m.id);
}

export function view(chat, message) {
	// While a reply runs its content is what was there before; its stream has the rest.
	const content = message.status === 'streaming' ? (turns.get(message.id)?.base ?? '') : message.content;
	const none = {
		attachments: [],
		citations: [],
		steps: [],
		agent_id: null,
		finish_reason: null,
		reasoning: '',
		left_out: null
	};
	return {
		...none,
		...message,
		content,
		...(message.status === 'streaming' ? { citations: [], steps: [] } : {}),
		sibling_ids: siblingsOf(chat, message)
	};
}

export function addReply(chat, parent, model) {
	const now = new Date().toISOString();
	const reply = {
		id: newId(),
		chat_id: chat.id,
		parent_id: parent.id,
		role: 'assistant',
		content: '',
		model: model ?? chat.model,
		status: 'streaming',
		error: null,
		usage: null,
		attachments: [],
		citations: [],
		steps: [],
		finish_reason: null,
		reasoning: '',
		left_out: null,
		agent_id: chat.agent_id ?? null,
		created_at: now,
		updated_at: now
	};
	chat.messages.push(reply);
	chat.current_message_id = reply.id;
	chat.updated_at = now;
	return reply;
}

/** Keeps steps, tool calls and citations with the reply, as the chat service does. */
function keep(reply, event, data) {
	if (event === 'citation') reply.citations.push(data);
	if (event !== 'step' && event !== 'tool') return;
	const same = (part) =>
		event === 'tool'
			? part.call_id === data.call_id
			: part.call_id === undefined && part.step === data.step;
	const at = reply.steps.findIndex(same);
	if (at < 0) reply.steps.push(data);
	else reply.steps[at] = data;
	if (event === 'step' && data.attempt > 1) reply.content = '';
}

/** Runs whether or not anybody listens. What the question says chooses what happens. */
export function startTurn(chat, question, reply, world) {
	const turn = { events: [], listeners: new Set(), base: reply.content, stopped: false, over: false };
	turns.set(reply.id, turn);
	const emit = (event, data) => {
		keep(reply, event, data);
		const line = `id: ${turn.events.length + 1}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
		turn.events.push(line);
		for (const listener of turn.listeners) listener(line);
	};
	emit('message', { message: view(chat, question), reply_id: reply.id });
	void play(turn, { question, reply, world, emit }).finally(() => {
		turn.over = true;
		for (const listener of turn.listeners) listener(null);
	});
	return turn;
}

async function play(turn, { question, reply, world, emit }) {
	const finish = (status) => {
		const ends = { '#length': 'length', '#filter': 'content_filter', '#decline': 'refusal' };
		reply.finish_reason =
			Object.entries(ends).find(([word]) => question.content.includes(word))?.[1] ??
			(status === 'complete' ? 'stop' : null);
		reply.status = status;
		emit('done', { status, finish_reason: reply.finish_reason });
	};
	const asks = (word) => question.content.includes(word);
	if (question.content.includes('#wallet')) {
		const action = asks('#ask')
			? { kind: 'ask_admin', label: 'Ask for credit' }
			: {
					kind: 'change_limit',
					label: 'Top up the wallet',
					method: 'POST',
					path: '/api/v1/billing/wallets'
				};
		reply.error = {
			code: 'insufficient_credits',
			status: 402,
			detail: 'the wallet holds 0.00 USD and this request needs at least 0.000041 USD; shorten the request or choose a cheaper model',
			extra: { scope: 'wallet', remaining_nano: 0, required_nano: 41_000, action }
		};
		const { extra, ...problem } = reply.error;
		emit('error', { ...problem, ...extra });
		return finish('failed');
	}
	for (let i = 0; world.loadingTicks > 0; i += 1) {
		emit('waiting', { reason: 'model_loading', progress: world.progress() });
		await pause(500);
	}
	if (asks('#away')) {
		emit('waiting', { reason: 'service_away', progress: null });
		await pause(Number(process.env.MOCK_AWAY_MS ?? 4_000));
	}
	await pause(500);
	if (asks('#leftout')) {
		reply.left_out = { messages: 12, passages: 3, window_tokens: 4096 };
		emit('left_out', reply.left_out);
	}
	if (asks('#think')) {
		for (const piece of THOUGHTS.match(/\S+\s*/g)) {
			reply.reasoning += piece;
			emit('reasoning', { text: piece });
			await pause(TOKEN_MS);
		}
		if (asks('#slow')) await pause(8_000);
	}
	const say = async (text) => {
		for (const piece of text.match(/\S+\s*|\s+/g) ?? []) {
			if (turn.stopped) break;
			reply.content += piece;
			emit('delta', { text: piece });
			await pause(TOKEN_MS);
		}
	};
	const played = await playTools(question.content, { reply, world, emit, pause, say });
	if (played === null)
		await say(
			asks('#filter')
				? ''
				: asks('#decline')
					? 'I cannot help with that.'
					: asks('#length')
						? REPLY.slice(0, 420)
						: asks('#short')
							? 'A short reply.'
							: REPLY
		);
	if (asks('#broke')) {
		reply.error = {
			code: 'model_failed',
			status: 502,
			detail: 'the provider broke the answer off with an error; what it wrote is kept, and it can be continued from there',
			extra: {}
		};
		emit('error', { code: 'model_failed', status: 502, detail: reply.error.detail });
	}
	if (played === 'steps_exhausted') {
		reply.error = {
			code: played,
			status: 422,
			detail: 'the run reached its limit of 10 model steps without an answer; what it wrote is kept',
			extra: {}
		};
		emit('error', { code: played, status: 422, detail: reply.error.detail });
	}
	const cost = 40 + reply.content.length * 3;
	world.remaining -= cost;
	reply.usage = {
		prompt_tokens: 31,
		completion_tokens: Math.ceil(reply.content.length / 4),
		cost_nano: cost,
		remaining_nano: world.remaining
	};
	emit('usage', reply.usage);
	finish(reply.error ? 'failed' : turn.stopped ? 'stopped' : 'complete');
}

export function stopTurn(id) {
	const turn = turns.get(id);
	if (turn) turn.stopped = true;
}

export function stream(response, reply, after) {
	const turn = turns.get(reply.id);
	response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
	if (!turn) {
		response.end(
			`id: ${after + 1}\nevent: reset\ndata: ${JSON.stringify({ text: reply.content })}\n\nid: ${after + 2}\nevent: done\ndata: {"status":"complete"}\n\n`
		);
		return;
	}
	for (const line of turn.events.slice(after)) response.write(line);
	if (turn.over) return response.end();
	const listener = (line) => (line === null ? response.end() : response.write(line));
	turn.listeners.add(listener);
	response.on('close', () => turn.listeners.delete(listener));
}
