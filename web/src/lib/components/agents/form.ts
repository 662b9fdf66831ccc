/** What is typed about an agent, and what is sent of it. */
import { t } from '$lib/i18n';
import type { Agent, AgentFields, RunLimits, ToolChoice } from '$lib/api/agents';
import type { Access } from '$lib/api/retrieval';
import { nanoToDecimal, parseAmount } from '$lib/format/money';

export interface AgentForm {
	name: string;
	description: string;
	instructions: string;
	/** Empty: the model of the chat. */
	model: string;
	/** By the tool's name: not given, given, or given and asked about. */
	tools: Record<string, 'no' | 'never' | 'always'>;
	knowledge: string[];
	access: string;
	stepsMax: string;
	tokensMax: string;
	/** US dollars; empty: only the budgets. */
	costMax: string;
	durationMax: string;
}

const LIMITS: RunLimits = { steps_max: 10, tokens_max: 100_000, cost_nano_max: null, duration_s_max: 600 };

export function formOf(agent: Agent | null): AgentForm {
	const limits = agent?.limits ?? LIMITS;
	return {
		name: agent?.name ?? '',
		description: agent?.description ?? '',
		instructions: agent?.instructions ?? '',
		model: agent?.model ?? '',
		tools: Object.fromEntries((agent?.tools ?? []).map(({ name, approval }) => [name, approval])),
		knowledge: agent?.knowledge_base_ids ?? [],
		access: agent?.access ?? 'private',
		stepsMax: String(limits.steps_max),
		tokensMax: String(limits.tokens_max),
		costMax: limits.cost_nano_max === null ? '' : nanoToDecimal(limits.cost_nano_max),
		durationMax: String(limits.duration_s_max)
	};
}

/** @throws RangeError with a sentence about the number that is none */
export function fieldsOf(form: AgentForm): AgentFields {
	const tools = Object.entries(form.tools).flatMap(([name, use]): ToolChoice[] =>
		use === 'no' ? [] : [{ name, approval: use }]
	);
	return {
		name: form.name.trim(),
		description: form.description.trim(),
		instructions: form.instructions.trim(),
		model: form.model === '' ? null : form.model,
		tools,
		knowledge_base_ids: form.knowledge,
		access: form.access as Access,
		limits: {
			steps_max: whole(t('agents.steps'), form.stepsMax, 50),
			tokens_max: whole(t('common.tokens'), form.tokensMax, 10_000_000),
			cost_nano_max: form.costMax.trim() === '' ? null : nano(form.costMax),
			duration_s_max: whole(t('agents.seconds'), form.durationMax, 86_400)
		}
	};
}

function whole(label: string, text: string, max: number): number {
	const value = Number(text);
	if (!/^\s*\d+\s*$/.test(text) || value < 1 || value > max)
		throw new RangeError(t('agents.labelAWholeNumber', { label, max }));
	return value;
}

function nano(text: string): number {
	const value = parseAmount(text);
	if (value === null) throw new RangeError(t('agents.costAnAmountIn'));
	return Number(value);
}
