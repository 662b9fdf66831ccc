import { afterEach, describe, expect, it } from 'vitest';
import { GERMAN } from '$lib/i18n/de';
import { ENGLISH, useLanguage } from '$lib/i18n';
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

describe('what is wrong with a field', () => {
	afterEach(() => useLanguage(ENGLISH));
	const of = (code: string, detail: string) => {
		const error = errorFromBody(422, {
			code: 'invalid',
			detail: `body.name: ${detail}`,
			errors: [{ field: 'body.name', code, detail }]
		});
		expect(error.message).toBe(error.fieldMessage('name'));
		return error.message;
	};

	it.each([
		['missing', 'Field required', 'This is needed.', 'Diese Angabe fehlt.'],
		[
			'string_too_short',
			'String should have at least 8 characters',
			'At least 8 characters.',
			'Mindestens 8 Zeichen.'
		],
		[
			'too_long',
			'List should have at most 1 item after validation, not 3',
			'At most 1 entry.',
			'Höchstens 1 Eintrag.'
		],
		[
			'less_than_equal',
			'Input should be less than or equal to 3600',
			'At most 3,600.',
			'Höchstens 3.600.'
		],
		[
			'value_error',
			'value is not a valid email address: An email address must have an @-sign.',
			'This is not an e-mail address.',
			'Das ist keine E-Mail-Adresse.'
		],
		[
			'email_not_valid',
			'An email address must have an @-sign.',
			'An email address must have an @-sign.',
			'Das ist keine E-Mail-Adresse.'
		],
		[
			'password_too_short',
			'choose a password of at least 8 characters',
			'At least 8 characters.',
			'Mindestens 8 Zeichen.'
		],
		[
			'password_is_own_name',
			'your name or address is no password; choose another',
			'Your name or address is no password. Choose another.',
			'Ihr Name oder Ihre Adresse ist kein Passwort. Wählen Sie ein anderes.'
		]
	])('is said in the language by its kind: %s', (code, detail, english, german) => {
		expect(of(code, detail)).toBe(english);
		useLanguage(GERMAN);
		expect(of(code, detail)).toBe(german);
	});

	it('is said in the words of the service where the kind is unknown', () => {
		expect(of('value_error', 'Value error, choose a password that is harder to guess')).toBe(
			'Choose a password that is harder to guess.'
		);
		useLanguage(GERMAN);
		expect(of('brand_new', 'only with a beard')).toBe('Only with a beard.');
		expect(of('value_error', 'Value error, only with a beard')).toBe('Only with a beard.');
	});

	it('never begins as the checker of the server does', () => {
		const detail = 'body.password: Value error, only with a beard';
		expect(errorFromBody(422, { code: 'odd', detail }).message).toBe('Only with a beard.');
	});
});
