import { describe, expect, it } from 'vitest';
import type { MessageStatus, ReplyError } from '$lib/api/types';
import { endingOf, leftOutText } from './ending';

const reply = (
	status: MessageStatus,
	finish_reason: string | null = null,
	content = 'Once upon',
	agent_id: string | null = null,
	error: ReplyError | null = null
) => endingOf({ status, finish_reason, content, agent_id, error });

describe('how a reply ended', () => {
	it('says nothing of one that ended by itself', () => {
		expect(reply('complete', 'stop')).toBeNull();
		expect(reply('complete', 'tool_calls')).toBeNull();
		expect(reply('complete')).toBeNull();
		expect(reply('streaming')).toBeNull();
	});

	it('shows that one was cut, and goes on', () => {
		expect(reply('complete', 'length')).toMatchObject({
			text: expect.stringContaining('cut off'),
			action: 'continue'
		});
		expect(reply('complete', 'length', '')).toMatchObject({
			text: expect.stringContaining('no answer'),
			action: 'continue'
		});
		expect(reply('stopped')?.action).toBe('continue');
		expect(reply('interrupted')?.action).toBe('continue');
	});

	it('lets what broke off go on, not what never began', () => {
		expect(reply('failed')?.action).toBe('continue');
		expect(reply('failed', null, '')).toBeNull();
		expect(reply('failed', null, 'x', null, { code: 'model_failed', detail: 'x' })?.action).toBe(
			'continue'
		);
	});

	it('offers no continuation of one that is as long as a reply may be', () => {
		expect(reply('failed', null, 'x', null, { code: 'reply_too_long', detail: 'x' })).toBeNull();
	});

	it('offers no continuation where an agent wrote: its run has ended', () => {
		for (const status of ['stopped', 'interrupted'] as const)
			expect(reply(status, null, 'x', 'agent')?.action).toBe('again');
		expect(reply('complete', 'length', 'x', 'agent')?.action).toBe('again');
		expect(reply('failed', null, 'x', 'agent')).toBeNull();
	});

	it('shows a filter, a refusal and an empty answer', () => {
		expect(reply('complete', 'content_filter', '')?.text).toContain('withheld');
		expect(reply('complete', 'content_filter')?.text).toContain('cut');
		expect(reply('complete', 'refusal')).toMatchObject({
			text: expect.stringContaining('declined'),
			action: null
		});
		expect(reply('complete', 'reasoning_only', '')).toMatchObject({
			text: expect.stringContaining('no answer'),
			action: 'again'
		});
		expect(reply('complete', 'stop', '')?.action).toBe('again');
		expect(reply('complete', 'stop', '', 'agent')).toBeNull();
	});
});

describe('what the model did not see', () => {
	it('is one line', () => {
		expect(leftOutText({ messages: 12, passages: 3, window_tokens: 4096 })).toBe(
			'Not seen by the model: 12 earlier messages and 3 passages, beyond the 4,096 tokens it can read.'
		);
		expect(leftOutText({ messages: 1, passages: 0, window_tokens: 8192 })).toContain(
			'1 earlier message, beyond'
		);
	});

	it('is nothing when it saw all', () => {
		expect(leftOutText(null)).toBeNull();
		expect(leftOutText({ messages: 0, passages: 0, window_tokens: 1 })).toBeNull();
	});
});
