import { describe, expect, it } from 'vitest';
import { errorFromBody } from './errors';

describe('a refusal', () => {
	it('never shows the pattern a text has to match', () => {
		const detail = "String should match pattern '^[a-z0-9]+(?:[_-][a-z0-9]+)*$'";
		const error = errorFromBody(422, {
			detail: `body.name: ${detail}`,
			code: 'invalid',
			errors: [{ field: 'body.name', code: 'string_pattern_mismatch', detail }]
		});
		expect(error.message).toBe('What is written here has a form that is not allowed.');
		expect(error.fieldMessage('name')).toBe('What is written here has a form that is not allowed.');
	});
});
