import { describe, expect, it } from 'vitest';
import { joined, titleFrom } from './drafts';
import { goesOn, headOf, ownBlocks } from './own-text';

const shown = (message: string) =>
	ownBlocks(message).flatMap((one) =>
		'block' in one
			? `block:${one.block.text}`
			: one.words.map(({ code, text }) => `${code ? 'code' : 'text'}:${text}`)
	);

describe('what one wrote', () => {
	it('stands as it was written, its code as code', () => {
		expect(shown('Why does `a[0]` fail?\n\n# not a heading')).toEqual([
			'text:Why does ',
			'code:a[0]',
			'text: fail?\n\n# not a heading'
		]);
		expect(ownBlocks('Look:\n```py title\nx = 1\n\ny = `2`\n```\nand now?')).toEqual([
			{ words: [{ code: false, text: 'Look:' }] },
			{ block: { language: 'py', text: 'x = 1\n\ny = `2`' } },
			{ words: [{ code: false, text: 'and now?' }] }
		]);
	});

	it('may leave a block open, and holds backticks that mark nothing', () => {
		expect(shown('```\nx = 1')).toEqual(['block:x = 1']);
		expect(shown("it's 5` long")).toEqual(["text:it's 5` long"]);
		expect(shown('``a ` b``')).toEqual(['code:a ` b']);
	});

	it('is folded when it is long, and only then', () => {
		expect(headOf('line\n'.repeat(15))).toBeNull();
		expect(headOf('line\n'.repeat(40))?.split('\n')).toHaveLength(14);
		expect(headOf('x'.repeat(5_000))).toHaveLength(1_200);
	});

	it('may hold any number of blocks', () => {
		expect(ownBlocks('```\na\n```\n'.repeat(20_000))).toHaveLength(20_000);
	});

	it.each([
		[
			'at the end of a block',
			['a', '```', ...Array<string>(11).fill('x'), '```'],
			['text:a', 'block:x', 'text:…']
		],
		['in a block', ['```', ...Array<string>(13).fill('x')], ['block:x…']],
		['at the begin of one', [...Array<string>(13).fill('a'), '```py'], ['text:a', 'block:…']],
		['in its words', Array<string>(14).fill('a'), ['text:a…']]
	])('ends with dots where it is cut %s', (_, lines, expected) => {
		const message = [...lines, ...Array<string>(20).fill('y')].join('\n');
		const short = (text: string) => text.replace(/(.)(\n\1)+/g, '$1');
		expect(shown(goesOn(headOf(message) ?? '')).map(short)).toEqual(expected);
	});
});

describe('texts that meet in one composer', () => {
	it('are all kept, one below the other, and none is there twice', () => {
		expect(joined('typed', '', 'refused')).toBe('typed\n\nrefused');
		expect(joined('', 'refused', ' refused ')).toBe('refused');
		expect(joined('typed\n\nrefused', 'refused')).toBe('typed\n\nrefused');
		expect(joined('Explain yes/no', 'no')).toBe('Explain yes/no\n\nno');
		expect(joined('', ' ')).toBe('');
	});
});

describe('the first title of a chat', () => {
	it.each([
		['How do I merge? I have two branches.', 'How do I merge?'],
		['# Plan for **May**\n\nmore', 'Plan for May'],
		['```py\nprint(1)\n```\nWhy does this fail', 'Why does this fail'],
		['- buy milk\n- buy bread', 'buy milk'],
		['1. first', 'first'],
		['Version 2.5 is out today. What is new?', 'Version 2.5 is out today.'],
		['What is `snake_case`', 'What is snake_case'],
		['```\nx = 1\n```', 'x = 1'],
		['   ', '']
	])('of %j is %s', (content, title) => expect(titleFrom(content)).toBe(title));

	it('is cut at a word', () => {
		const title = titleFrom('word '.repeat(40));
		expect(title.length).toBeLessThanOrEqual(61);
		expect(title).toMatch(/word…$/);
	});
});
