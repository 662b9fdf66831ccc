/**
 * What replies write beyond GFM: formulas, footnotes, H~2~O, and the few tags that are no page of their own
 * (line breaks, keys, folded parts). Formulas keep their source: nothing in them is an escape or an emphasis.
 */
import { Marked, type Token, type TokenizerAndRendererExtension, type Tokens } from 'marked';

export function escapeHtml(text: string): string {
	return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

const TAG = /(<\/?(?:br|sub|sup|kbd)\s*\/?>)/i;

/** Raw HTML as it was written, as text; only these tags, which take no attributes, are tags. */
export function shownHtml(text: string): string {
	return text
		.split(TAG)
		.map((part, at) => (at % 2 === 1 ? part.toLowerCase() : escapeHtml(part)))
		.join('');
}

const formula = (source: unknown) => `<code class="math">${escapeHtml(String(source).trim())}</code>`;

/**
 * `$` is also money, and begins a variable of the shell: a formula begins right after it, ends right before
 * it, and no word or brace follows. `\[` is also an escape, as before the text of a link that shall be none.
 */
const FORMULA =
	/^(?:\\\(([\s\S]+?)\\\)|\\\[([\s\S]+?)\\\](?!\()|\$\$([\s\S]+?)\$\$|\$(?![\s$])((?:\\.|[^\\$\n])*[^\s\\$])\$(?![\p{L}\p{N}_{]))/u;
const FORMULA_LINES = /^ {0,3}(?:\\\[([\s\S]+?)\\\]|\$\$([\s\S]+?)\$\$)[ \t]*(?:\n+|$)/;

const inlineFormula: TokenizerAndRendererExtension = {
	name: 'formula',
	level: 'inline',
	start: (source) => source.match(/\\[([]|\$/)?.index,
	tokenizer(source) {
		const found = FORMULA.exec(source);
		if (!found) return undefined;
		return { type: 'formula', raw: found[0], source: found.slice(1).find((part) => part !== undefined) };
	},
	renderer: ({ source }) => formula(source)
};

const formulaLines: TokenizerAndRendererExtension = {
	name: 'formulaLines',
	level: 'block',
	start: (source) => source.match(/^ {0,3}(?:\\\[|\$\$)/m)?.index,
	tokenizer(source) {
		const found = FORMULA_LINES.exec(source);
		if (!found) return undefined;
		return { type: 'formulaLines', raw: found[0], source: found[1] ?? found[2] };
	},
	renderer: ({ source }) => `<p class="math-lines">${formula(source)}</p>\n`
};

/** `~` is also "about", and a home folder: a subscript has something that it belongs to. */
const SUBSCRIBED = /[\p{L})\]][*_]*$/u;
const SUBSCRIPT = /^~([^~\s]{0,19}[^~\s\p{Pd}])~(?!~)/u;

const subscript: TokenizerAndRendererExtension = {
	name: 'subscript',
	level: 'inline',
	start: (source) => source.match(/~[^~\s]/)?.index,
	tokenizer(source, tokens) {
		const [raw, text] = SUBSCRIPT.exec(source) ?? [];
		return raw && SUBSCRIBED.test(tokens.at(-1)?.raw ?? '')
			? { type: 'subscript', raw, text }
			: undefined;
	},
	renderer: ({ text }) => `<sub>${escapeHtml(String(text))}</sub>`
};

const footnoteMark: TokenizerAndRendererExtension = {
	name: 'footnoteMark',
	level: 'inline',
	start: (source) => source.match(/\[\^/)?.index,
	tokenizer(source) {
		const [raw, name] = /^\[\^([^\]\s]{1,40})\](?!\()/.exec(source) ?? [];
		return raw ? { type: 'footnoteMark', raw, name } : undefined;
	},
	renderer: ({ name }) => `<sup>${escapeHtml(String(name))}</sup>`
};

const FOOTNOTE = /^ {0,3}\[\^([^\]\s]{1,40})\]:[ \t]*((?:(?!\n[ \t]*\n|\n {0,3}\[\^)[\s\S])*)(?:\n+|$)/;

const footnote: TokenizerAndRendererExtension = {
	name: 'footnote',
	level: 'block',
	start: (source) => source.match(/^ {0,3}\[\^/m)?.index,
	tokenizer(source) {
		const [raw, name, text] = FOOTNOTE.exec(source) ?? [];
		if (!raw) return undefined;
		return { type: 'footnote', raw, name, tokens: this.lexer.inline((text ?? '').trimEnd()) };
	},
	renderer({ name, tokens }) {
		return `<p class="footnote"><sup>${escapeHtml(String(name))}</sup> ${this.parser.parseInline(tokens ?? [])}</p>\n`;
	}
};

const DETAILS =
	/^ {0,3}<details(?: open)?>\s*(?:<summary>([\s\S]*?)<\/summary>)?([\s\S]*?)<\/details>[ \t]*(?:\n+|$)/i;

const details: TokenizerAndRendererExtension = {
	name: 'details',
	level: 'block',
	start: (source) => source.match(/^ {0,3}<details/im)?.index,
	tokenizer(source) {
		const [raw, summary, body] = DETAILS.exec(source) ?? [];
		if (!raw) return undefined;
		const head: Token[] = this.lexer.inline((summary ?? '').trim());
		return { type: 'details', raw, head, tokens: this.lexer.blockTokens((body ?? '').trim(), []) };
	},
	renderer({ head, tokens }) {
		const parts = [this.parser.parseInline(head as Token[]), this.parser.parse(tokens ?? [])];
		return `<details><summary>${parts[0] || '…'}</summary>${parts[1]}</details>\n`;
	},
	childTokens: ['head', 'tokens']
};

/** A reader of this grammar: one to cut replies into blocks, one to draw them. */
export function newMarked(): Marked {
	return new Marked({
		gfm: true,
		breaks: false,
		extensions: [inlineFormula, formulaLines, subscript, footnoteMark, footnote, details],
		tokenizer: {
			// GFM takes one tilde too; people write ~5 minutes and ~10.
			del: (source) => (source.startsWith('~~') ? false : undefined)
		},
		renderer: { html: ({ text }: Tokens.HTML | Tokens.Tag) => shownHtml(text) }
	});
}
