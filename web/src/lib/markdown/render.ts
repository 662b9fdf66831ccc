/** Markdown -> safe HTML for one block. Cleaned after drawing, never before. */
import { t } from '$lib/i18n';
import DOMPurify, { type Config } from 'dompurify';
import type { Token, Tokens } from 'marked';
import { escapeHtml, newMarked } from './grammar';
import { highlightNow } from './highlight.svelte';

const marked = newMarked().use({
	renderer: {
		// Drawing a picture from elsewhere would tell that server what is being read.
		image: ({ href, text }: Tokens.Image) =>
			`<a href="${escapeHtml(href)}">${escapeHtml(text || href)}</a>`,
		code: ({ text, lang }: Tokens.Code) => nestedCode(text, lang ?? ''),
		listitem(item: Tokens.ListItem) {
			const body = this.parser.parse(item.tokens);
			return item.task
				? `<li class="task">${body.replace(TASK_BOX, (box) => named(box, item))}</li>\n`
				: `<li>${body}</li>\n`;
		},
		table(token: Tokens.Table) {
			const cell = (tag: 'th' | 'td') => (c: Tokens.TableCell) => {
				const align = c.align ? ` style="text-align:${c.align}"` : '';
				return `<${tag}${align}>${this.parser.parseInline(c.tokens)}</${tag}>`;
			};
			const head = token.header.map(cell('th')).join('');
			const rows = token.rows.map((row) => `<tr>${row.map(cell('td')).join('')}</tr>`).join('');
			return `<div class="table-scroll"><table><thead><tr>${head}</tr></thead><tbody>${rows}</tbody></table></div>`;
		}
	}
});

/** The box of the item itself: it is drawn before anything else of it. */
const TASK_BOX = /<input (?=[^>]*type="checkbox")/;
const NAME_CHARS_MAX = 120;

/** A box is called what its line says, without the items below it. */
function named(box: string, item: Tokens.ListItem): string {
	const line = item.tokens.find((token) => token.type === 'text' || token.type === 'paragraph');
	const name = plainText((line as Tokens.Generic | undefined)?.tokens)
		.trim()
		.slice(0, NAME_CHARS_MAX);
	return `${box}aria-label="${escapeHtml(name || t('chat.task'))}" `;
}

function plainText(tokens: Token[] | undefined): string {
	return (tokens ?? [])
		.map((token) =>
			'tokens' in token && token.tokens
				? plainText(token.tokens)
				: 'text' in token
					? String(token.text)
					: ''
		)
		.join('');
}

/** The numbers that may be cited while one block is drawn; drawing is synchronous. */
let citable: ReadonlySet<number> = new Set();

// An inline rule, so that [1] in code stays text and [1](address) a link.
const CITED = /^\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\](?!\()/;
marked.use({
	extensions: [
		{
			name: 'citation',
			level: 'inline',
			start: (source) => source.match(/\[\d/)?.index,
			tokenizer(source) {
				const [raw, list] = CITED.exec(source) ?? [];
				const numbers = (list ?? '').split(',').map(Number);
				if (!raw || this.lexer.state.inLink || !numbers.every((n) => citable.has(n)))
					return undefined;
				return { type: 'citation', raw, numbers };
			},
			renderer: ({ numbers }) => (numbers as number[]).map(citationButton).join('')
		}
	]
});

const citationButton = (n: number) =>
	`<button type="button" class="cite" data-cite="${n}" data-testid="citation" aria-label="${escapeHtml(t('chat.sourceN', { n }))}">${n}</button>`;

/** Code inside a list or quote; blocks of their own are CodeBlock components. */
function nestedCode(text: string, info: string): string {
	const language = info.split(/\s/)[0] ?? '';
	const body = highlightNow(text, language) ?? escapeHtml(text);
	return (
		`<div class="code-block"><div class="code-head"><span>${escapeHtml(language || t('chat.text'))}</span>` +
		`<button type="button" class="code-copy" data-copy>${escapeHtml(t('common.copy'))}</button></div><pre><code>${body}</code></pre></div>`
	);
}

/**
 * Only these hold an address, and only these are held to what an address may be: a number or a word is none.
 */
const ADDRESSES = ['href'];
const PLAIN =
	'title class type checked disabled start style data-copy data-cite data-testid aria-label target rel'.split(
		' '
	);

const ALLOWED: Config = {
	ALLOWED_TAGS: (
		'p br hr h1 h2 h3 h4 h5 h6 strong em del code pre a ul ol li blockquote div span button ' +
		'table thead tbody tr th td input sup sub kbd details summary'
	).split(' '),
	ALLOWED_ATTR: [...ADDRESSES, ...PLAIN],
	ADD_URI_SAFE_ATTR: PLAIN,
	ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|#|\/(?!\/))/i
};

let hooked = false;

function hookLinks(): void {
	if (hooked) return;
	hooked = true;
	DOMPurify.addHook('afterSanitizeAttributes', (node) => {
		if (node.tagName !== 'A' || !node.hasAttribute('href')) return;
		node.setAttribute('target', '_blank');
		node.setAttribute('rel', 'noopener noreferrer nofollow');
	});
}

/** HTML as drawn, not yet cleaned. */
export function drawMarkdown(source: string, numbers: ReadonlySet<number>): string {
	citable = numbers;
	return marked.parse(source, { async: false });
}

const NONE: ReadonlySet<number> = new Set();

/** @param numbers what can be cited: [n] becomes a button where n is among them */
export function renderMarkdown(source: string, numbers = NONE): string {
	hookLinks();
	return DOMPurify.sanitize(drawMarkdown(source, numbers), ALLOWED);
}
