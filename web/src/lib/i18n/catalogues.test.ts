import { afterEach, describe, expect, it } from 'vitest';
import { errorFromBody } from '$lib/api/errors';
import { formatNano, parseAmount } from '$lib/format/money';
import { GERMAN } from './de';
import { en } from './en';
import { ENGLISH, t, useLanguage, type MessageKey } from './index';
import { bestOf } from './locale.svelte';
import { namesOf } from './message';
import { PSEUDO } from './pseudo';

const keys = Object.keys(en) as MessageKey[];

afterEach(() => useLanguage(ENGLISH));

describe('the German texts', () => {
	it('are there for every English one, with the same parameters', () => {
		expect(Object.keys(GERMAN.catalogue).sort()).toEqual([...keys].sort());
		for (const key of keys)
			expect([key, namesOf(GERMAN.catalogue[key])]).toEqual([key, namesOf(en[key])]);
	});

	it('differ from the English ones but for names and words both languages have', () => {
		const same = keys.filter((key) => GERMAN.catalogue[key] === en[key] && en[key].split(' ').length > 3);
		expect(same).toEqual([]);
	});

	it('write amounts as German does, and read them', () => {
		useLanguage(GERMAN);
		expect(formatNano(1_234_500_000_000)).toBe('1.234,50\u00a0$');
		expect(parseAmount('0,15')).toBe(150_000_000n);
	});
});

describe('errors of servers', () => {
	const body = {
		code: 'email_taken',
		title: 'Address in use',
		detail: 'an account exists; sign in instead'
	};

	it('are said in the language by their code', () => {
		useLanguage(GERMAN);
		expect(errorFromBody(409, body).message).toContain('E-Mail-Adresse');
	});

	it('are shown in the words of the server where the code is unknown, and in English', () => {
		expect(errorFromBody(409, body).message).toBe('An account exists; sign in instead.');
		useLanguage(GERMAN);
		expect(errorFromBody(409, { ...body, code: 'brand_new' }).message).toBe(
			'An account exists; sign in instead.'
		);
	});

	it('name a field only when the error has it', () => {
		useLanguage({ ...GERMAN, errors: { file_too_large: 'Höchstens {size_max} Bytes.' } });
		const refused = { code: 'file_too_large', detail: 'too large' };
		expect(errorFromBody(413, { ...refused, size_max: 1000 }).message).toBe('Höchstens 1.000 Bytes.');
		expect(errorFromBody(413, refused).message).toBe('Too large.');
	});
});

describe('the pseudo-language', () => {
	it('is about 40 % longer and leaves parameters alone', () => {
		useLanguage(PSEUDO);
		const said = t('admin.theServicesOfThis');
		expect(said.length / en['admin.theServicesOfThis'].length).toBeGreaterThan(1.35);
		expect(t('common.deletedName', { name: 'Plan' })).toContain('Plan');
	});
});

describe('bestOf', () => {
	it.each([
		[['de-AT', 'en'], 'de'],
		[['fr-FR', 'de'], 'de'],
		[['en-GB'], 'en'],
		[['ja'], 'en'],
		[[], 'en']
	])('of %j is %s', (wanted, found) => {
		expect(bestOf(wanted)).toBe(found);
	});
});
