import { describe, expect, it } from 'vitest';
import { format, namesOf } from './message';

describe('format', () => {
	it('puts values where their names are', () => {
		expect(format('{name} is free now.', { name: 'small' }, 'en')).toBe('small is free now.');
	});

	it('never reads a value as a message', () => {
		expect(format('No base is called “{query}”.', { query: '{name} #' }, 'en')).toBe(
			'No base is called “{name} #”.'
		);
	});

	it.each([
		[0, 'Waits for 0 files'],
		[1, 'Waits for 1 file'],
		[1200, 'Waits for 1,200 files']
	])('chooses the plural of %i', (count, said) => {
		expect(format('Waits for {count, plural, one {# file} other {# files}}', { count }, 'en')).toBe(said);
	});

	it('follows the rules and figures of the language', () => {
		const polish = '{n, plural, one {# plik} few {# pliki} many {# plików} other {# pliku}}';
		expect([1, 3, 5].map((n) => format(polish, { n }, 'pl'))).toEqual(['1 plik', '3 pliki', '5 plików']);
		expect(format('{count} Zeichen', { count: 200_000 }, 'de')).toBe('200.000 Zeichen');
	});

	it('takes an exact number before a rule, and selects by word', () => {
		expect(format('{n, plural, =0 {none} one {#} other {#}}', { n: 0 }, 'en')).toBe('none');
		expect(format('{kind, select, file {a file} other {something}}', { kind: 'file' }, 'en')).toBe(
			'a file'
		);
	});

	it('keeps parameters inside branches', () => {
		const message = '{count, plural, one {{name} and # other} other {{name} and # others}}';
		expect(format(message, { count: 2, name: 'Ada' }, 'en')).toBe('Ada and 2 others');
		expect(namesOf(message)).toEqual(new Set(['count', 'name']));
	});

	it('shows the name of what is missing rather than nothing', () => {
		expect(format('Deleted {name}', {}, 'en')).toBe('Deleted {name}');
	});

	it.each(['{name', 'a } b', '{count, plural, one {#}', '{}'])('refuses %s', (broken) => {
		expect(() => format(broken, { name: 'x', count: 1 }, 'en')).toThrow(SyntaxError);
	});
});
