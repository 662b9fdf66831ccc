/**
 * Cuts a reply into top-level Markdown blocks so that, while it streams, only the last block is drawn again.
 * A block that something follows never changes: it keeps its key and its object.
 */
import type { Tokens } from 'marked';
import { newMarked } from './grammar';

export interface Block {
	/** Where the block starts in the text: stable for as long as the text only grows. */
	key: number;
	raw: string;
	code: CodeBlock | null;
}

export interface CodeBlock {
	language: string;
	text: string;
	/** False while the closing fence has not arrived. */
	closed: boolean;
}

/**
 * Links defined anywhere ([a]: url) would need the whole text; such replies are drawn as they stand, per
 * block.
 */
export class BlockSplitter {
	#text = '';
	#settled: Block[] = [];
	#settledEnd = 0;
	#blocks: Block[] = [];

	/** The blocks of the whole text; settled ones are the same objects as before when the text only grew. */
	update(text: string): Block[] {
		if (text === this.#text) return this.#blocks;
		if (!text.startsWith(this.#text)) this.#reset();
		this.#text = text;
		const open = split(text.slice(this.#settledEnd), this.#settledEnd);
		const settled = open.slice(0, -1);
		const last = open.at(-1);
		if (last && settled.length > 0) {
			this.#settled = [...this.#settled, ...settled];
			this.#settledEnd = last.key;
		}
		this.#blocks = last ? [...this.#settled, last] : this.#settled;
		return this.#blocks;
	}

	#reset(): void {
		this.#settled = [];
		this.#settledEnd = 0;
		this.#blocks = [];
	}
}

const FENCE_OPEN = /^ {0,3}(`{3,}(?=[^`\n]*(?:\n|$))|~{3,})/;

/** A code block still being written, found without the lexer: it may be long and grows with each token. */
function unclosedFence(text: string, offset: number): Block | null {
	const fence = FENCE_OPEN.exec(text)?.[1];
	if (!fence) return null;
	const lines = text.split('\n');
	const close = new RegExp(`^ {0,3}${fence[0]}{${fence.length},}\\s*$`);
	if (lines.slice(1).some((line) => close.test(line))) return null;
	const language = languageOf((lines[0] ?? '').trim().slice(fence.length));
	return { key: offset, raw: text, code: { language, text: lines.slice(1).join('\n'), closed: false } };
}

function languageOf(info: string): string {
	return (/^\s*([\w+#.-]*)/.exec(info)?.[1] ?? '').toLowerCase();
}

const marked = newMarked();

function split(text: string, offset: number): Block[] {
	const growing = unclosedFence(text, offset);
	if (growing) return [growing];
	const blocks: Block[] = [];
	let at = offset;
	for (const token of marked.lexer(text)) {
		if (token.type !== 'space')
			blocks.push({ key: at, raw: token.raw, code: codeOf(token as Tokens.Generic) });
		at += token.raw.length;
	}
	return blocks;
}

function codeOf(token: Tokens.Generic): CodeBlock | null {
	if (token.type !== 'code') return null;
	const code = token as Tokens.Code;
	const fence = FENCE_OPEN.exec(code.raw)?.[1];
	const closed = !fence || new RegExp(`\\n {0,3}${fence[0]}{${fence.length},}\\s*$`).test(code.raw);
	return { language: languageOf(code.lang ?? ''), text: code.text, closed };
}
