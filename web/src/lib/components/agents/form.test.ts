import { describe, expect, it } from 'vitest';
import type { Agent } from '$lib/api/agents';
import { fieldsOf, formOf } from './form';

const AGENT = {
	id: 'a',
	name: 'Reader',
	description: '',
	instructions: 'Read.',
	model: null,
	access: 'private',
	knowledge_base_ids: ['k'],
	tools: [{ name: 'python', approval: 'always' }],
	limits: { steps_max: 5, tokens_max: 1000, cost_nano_max: 50_000_000, duration_s_max: 60 },
	built_in: false,
	writable: true,
	created_at: '',
	updated_at: ''
} as Agent;

describe('the form of an agent', () => {
	it('gives back what the agent had', () => {
		const { id: _id, built_in: _b, writable: _w, created_at: _c, updated_at: _u, ...fields } = AGENT;
		expect(fieldsOf(formOf(AGENT))).toEqual(fields);
		expect(formOf(AGENT).costMax).toBe('0.05');
	});

	it('starts with limits, without tools and without a limit of money', () => {
		expect(fieldsOf({ ...formOf(null), name: ' New ' })).toMatchObject({
			name: 'New',
			tools: [],
			model: null,
			limits: { steps_max: 10, cost_nano_max: null }
		});
	});

	it('leaves out tools that are not given', () => {
		expect(fieldsOf({ ...formOf(AGENT), tools: { python: 'no', calculator: 'never' } }).tools).toEqual([
			{ name: 'calculator', approval: 'never' }
		]);
	});

	it('says which number is none', () => {
		expect(() => fieldsOf({ ...formOf(AGENT), stepsMax: '51' })).toThrow(
			'Steps: a whole number from 1 to 50.'
		);
		expect(() => fieldsOf({ ...formOf(AGENT), tokensMax: '1.5' })).toThrow('Tokens');
		expect(() => fieldsOf({ ...formOf(AGENT), costMax: 'cheap' })).toThrow('Cost');
	});
});
