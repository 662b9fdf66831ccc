// @ts-check
/** @typedef {import('../src/lib/api/types').Model} Model */
// What the development API starts with. Invented people, chats and usage; nothing here is shipped.

export const ORGANISATION = 'a0000000-0000-4000-8000-000000000000';
export const TEAM = 'a0000000-0000-4000-8000-000000000001';
const MODEL = 'qwen2.5-coder-0.5b-instruct';
const DAY_MS = 86_400_000;

let count = 0;
export function newId() {
	count += 1;
	return `0193f000-0000-7000-8000-${String(count).padStart(12, '0')}`;
}

export class Problem extends Error {
	constructor(status, code, detail, extra = {}) {
		super(detail);
		this.body = { type: 'about:blank', title: code, status, detail, code, request_id: newId(), ...extra };
	}
}

export const ago = (ms) => new Date(Date.now() - ms).toISOString();
export const ahead = (ms) => new Date(Date.now() + ms).toISOString();

/** @returns {import('../src/lib/api/types').UserDetail[]} */
export function seedUsers() {
	/**
	 * @param {string} name
	 * @param {string} email
	 * @param {import('../src/lib/api/types').Role} role
	 * @param {import('../src/lib/api/types').UserStatus} status
	 */
	const person = (name, email, role, status = 'active') => ({
		id: newId(),
		email,
		name,
		role,
		status,
		organisation_id: ORGANISATION,
		teams: [TEAM],
		last_signin_at: ago(3_600_000),
		created_at: ago(40 * DAY_MS),
		updated_at: ago(DAY_MS)
	});
	return [
		person('Ada Moreau', 'ada@example.com', 'admin'),
		person('Kenji Watanabe', 'kenji@example.com', 'user'),
		person('Lucía Fernández-Ortiz', 'lucia.fernandez.ortiz@example.com', 'finance'),
		person('Tom Okafor', 'tom@example.com', 'pending'),
		person('Old Account', 'old@example.com', 'user', 'suspended')
	];
}

export const PERMISSIONS = (
	'me:read me:write keys:manage chats:read chats:write models:use models:read usage:read usage:read_all prices:read ' +
	'prices:write wallets:read wallets:write budgets:read budgets:write ledger:read users:read users:write audit:read status:read ' +
	'files:read files:write agents:read agents:write agents:run code:execute tools:manage'
).split(' ');

/** @returns {import('../src/lib/api/types').Model[]} */
export function seedModels() {
	/**
	 * @param {Partial<Model> & Pick<Model, 'id' | 'name' | 'provider'>} fields
	 * @returns {Model}
	 */
	const model = (fields) => ({
		kind: 'chat',
		context_length: 32_768,
		context_source: 'table',
		output_tokens_max: null,
		capabilities: ['stream'],
		builtin: false,
		starter: false,
		status: 'ready',
		progress: null,
		detail: null,
		priced: true,
		...fields
	});
	return [
		model({ id: MODEL, name: 'Qwen2.5 Coder 0.5B', provider: 'built-in', builtin: true, starter: true }),
		model({ id: 'llama3.1:8b', name: 'Llama 3.1 8B', provider: 'ollama', context_length: 131_072 }),
		model({
			id: 'acme/large',
			name: 'Acme Large',
			provider: 'openai-compatible',
			context_length: 200_000,
			priced: false
		}),
		model({
			id: 'mistral-small',
			name: 'Mistral Small',
			provider: 'ollama',
			status: 'down',
			detail: 'Not available: the Ollama server does not answer'
		}),
		model({
			id: 'all-minilm-l6-v2',
			name: 'all-MiniLM-L6-v2',
			provider: 'built-in',
			kind: 'embedding',
			context_length: 256,
			builtin: true
		})
	];
}

export const REPLY = `A **double-entry ledger** writes every amount twice: once where it comes *from*, once where it goes *to*. The two sides always add up to zero, so a lost or doubled entry shows at once.

## A small example

You top up your wallet with $10.00 and ask one question that costs $0.02:

| Step | Debit | Credit | Amount |
|:-----|:------|:-------|-------:|
| Top-up | Wallet | Payment | $10.00 |
| Hold | Held | Wallet | $0.05 |
| Settle | Revenue | Held | $0.02 |
| Release | Wallet | Held | $0.03 |

In code, the invariant is one line:

\`\`\`python
from dataclasses import dataclass

@dataclass(frozen=True)
class Entry:
    """One transfer between two accounts, in integer nano-dollars."""
    debit: str
    credit: str
    amount_nano: int

def balance(entries: list[Entry], account: str) -> int:
    # Never floats: 0.1 + 0.2 is not 0.3.
    return sum(e.amount_nano for e in entries if e.debit == account) - sum(
        e.amount_nano for e in entries if e.credit == account
    )
\`\`\`

Why it is worth the trouble:

1. **Nothing disappears.** Each balance can be computed from its entries.
2. **Mistakes are found.** If the books do not add up, you know *when* that began:
   \`\`\`bash
   atrium ledger check --since 2026-11-01
   \`\`\`
3. Corrections are new entries; the past stays as it was.

> A balance is an opinion; the entries are the facts.

See [the billing guide](https://example.com/docs) for more.`;

function message(chat, fields) {
	return {
		id: newId(),
		chat_id: chat,
		parent_id: null,
		role: 'user',
		content: '',
		model: MODEL,
		status: 'complete',
		error: null,
		usage: null,
		created_at: ago(DAY_MS),
		updated_at: ago(DAY_MS),
		...fields
	};
}

export function seedChats() {
	const titles = [
		['What is a double-entry ledger?', 60_000],
		['Plan for the team offsite in May', 5_000_000],
		['Group dates by month in Python', 1.2 * DAY_MS],
		['E-mail: move the meeting to Thursday', 3 * DAY_MS],
		['Why is the sky blue? A longer title that does not fit', 5 * DAY_MS],
		['SQL: running totals', 12 * DAY_MS],
		['Übersetzung ins Deutsche', 20 * DAY_MS],
		['Names for a cat', 90 * DAY_MS]
	];
	const chats = new Map();
	for (const [title, age] of titles) {
		const chat = {
			id: newId(),
			title,
			model: MODEL,
			knowledge_base_ids: [],
			agent_id: null,
			current_message_id: null,
			archived: false,
			created_at: ago(age),
			updated_at: ago(age),
			messages: []
		};
		const question = message(chat.id, { content: title });
		const usage = {
			prompt_tokens: 34,
			completion_tokens: 412,
			cost_nano: 4_460,
			remaining_nano: 4_999_995_540
		};
		const answer = message(chat.id, { role: 'assistant', parent_id: question.id, content: REPLY, usage });
		chat.messages.push(question, answer);
		chat.current_message_id = answer.id;
		chats.set(chat.id, chat);
	}
	addStates([...chats.values()][1]);
	return chats;
}

/** One chat that shows every state a reply can end in. */
function addStates(chat) {
	let parent = chat.current_message_id;
	const add = (question, answer) => {
		const asked = message(chat.id, { content: question, parent_id: parent });
		const reply = message(chat.id, { role: 'assistant', parent_id: asked.id, ...answer });
		chat.messages.push(asked, reply);
		parent = reply.id;
		chat.current_message_id = reply.id;
	};
	add('And a shorter version?', {
		content: 'Each amount is written **twice**, so the books',
		status: 'interrupted',
		usage: { prompt_tokens: 480, completion_tokens: 9, cost_nano: 570, remaining_nano: null }
	});
	add('Stop after one line.', { content: 'Each amount is written twice.', status: 'stopped' });
	add('Go on with the large model.', {
		status: 'failed',
		model: 'acme/large',
		error: {
			code: 'budget_exceeded',
			status: 429,
			detail: 'the budget of this user is 5.00 USD: 4.98 USD are spent, 0.01 USD are held by running requests, and this one needs at least 0.04 USD.',
			extra: {
				scope: 'user',
				limit_nano: 5_000_000_000,
				spent_nano: 4_980_000_000,
				held_nano: 10_000_000,
				remaining_nano: 10_000_000,
				resets_at: ahead(9 * DAY_MS)
			}
		}
	});
}

/** @returns {import('../src/lib/api/types').Price[]} */
export function seedPrices() {
	/** @returns {import('../src/lib/api/types').Price} */
	const price = (model, input, output, free = false) => ({
		id: newId(),
		model,
		free,
		input_nano_per_mtok: input,
		output_nano_per_mtok: output,
		cache_read_nano_per_mtok: input,
		cache_write_nano_per_mtok: input,
		reasoning_nano_per_mtok: output,
		audio_in_nano_per_mtok: input,
		audio_out_nano_per_mtok: output,
		created_at: ago(30 * DAY_MS),
		created_by: null,
		currency: 'USD',
		effective_from: ago(30 * DAY_MS),
		effective_to: null,
		source: 'seed'
	});
	return [
		price(MODEL, 10_000_000, 10_000_000),
		price('llama3.1:8b', 50_000_000, 80_000_000),
		price('all-minilm-l6-v2', 0, 0, true)
	];
}

/** @returns {import('../src/lib/api/types').UsageRow[]} */
export function usageRows(days) {
	const rows = [];
	for (let i = days - 1; i >= 0; i -= 1) {
		const day = ago(i * DAY_MS).slice(0, 10);
		for (const [index, model] of [MODEL, 'llama3.1:8b', 'acme/large'].entries()) {
			const wave = Math.abs(Math.sin(i * 1.7 + index * 2)) * (i % 7 > 4 ? 0.25 : 1);
			if (wave < 0.12) continue;
			const requests = Math.round(wave * 30) + 1;
			rows.push({
				day,
				model,
				user_id: null,
				key_id: null,
				requests,
				input_tokens: requests * 420,
				output_tokens: requests * 260,
				cost_nano: requests * (index * index * 9_000_000 + 2_900)
			});
		}
	}
	return rows;
}
