import { describe, expect, it } from 'vitest';
import { BlockSplitter } from './blocks';

const REPLY = [
	'# Title',
	'',
	'A paragraph with `code` and **bold**',
	'over two lines.',
	'',
	'- one',
	'- two',
	'',
	'  still two',
	'',
	'```python',
	'def f():',
	'',
	'    return "# not a title"',
	'```',
	'',
	'| a | b |',
	'|---|---|',
	'| 1 | 2 |',
	'',
	'> quoted',
	'',
	'The end.'
].join('\n');

function whole(text: string) {
	return new BlockSplitter().update(text);
}

describe('block splitter', () => {
	it('cuts at top-level blocks', () => {
		const blocks = whole(REPLY);
		expect(blocks).toHaveLength(7);
		expect(blocks[3]?.code).toEqual({
			language: 'python',
			text: 'def f():\n\n    return "# not a title"',
			closed: true
		});
	});

	it('ends with the same blocks whether the text came at once or letter by letter', () => {
		const splitter = new BlockSplitter();
		let blocks = splitter.update('');
		for (let end = 1; end <= REPLY.length; end += 1) blocks = splitter.update(REPLY.slice(0, end));
		expect(blocks.map((b) => [b.key, b.raw.trimEnd(), b.code])).toEqual(
			whole(REPLY).map((b) => [b.key, b.raw.trimEnd(), b.code])
		);
	});

	it('keeps the settled blocks as the same objects while the text grows', () => {
		const splitter = new BlockSplitter();
		const before = splitter.update(REPLY);
		const after = splitter.update(`${REPLY} More.\n\nAnd more.`);
		for (let i = 0; i < before.length - 1; i += 1) expect(after[i]).toBe(before[i]);
		expect(after).toHaveLength(before.length + 1);
	});

	it('keeps an unclosed fence one block, blank lines and all', () => {
		const blocks = whole('Look:\n\n```ts\nconst a = 1;\n\n\nconst b');
		expect(blocks).toHaveLength(2);
		expect(blocks[1]?.code).toEqual({ language: 'ts', text: 'const a = 1;\n\n\nconst b', closed: false });
	});

	it('does not close a long fence by a shorter one inside', () => {
		const blocks = whole('````md\n```js\nx\n```\n````\n\nafter');
		expect(blocks).toHaveLength(2);
		expect(blocks[0]?.code?.text).toBe('```js\nx\n```');
	});

	it('starts over when the text was replaced', () => {
		const splitter = new BlockSplitter();
		splitter.update('one\n\ntwo');
		expect(splitter.update('other').map((b) => b.raw)).toEqual(['other']);
	});

	it('has nothing to show for an empty text', () => {
		expect(whole('')).toEqual([]);
		expect(whole('\n\n')).toEqual([]);
	});
});
