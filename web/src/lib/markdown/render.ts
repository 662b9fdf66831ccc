/** Markdown -> safe HTML for one block. Cleaned after drawing, never before. */
import DOMPurify, { type Config } from 'dompurify';
import { Marked, type Tokens } from 'marked';
import { highlightNow } from './highlight.svelte';

export function escapeHtml(text: string): string {
	return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

const marked = new Marked({
	gfm: true,
	breaks: false,
	renderer: {
		// Raw HTML in a reply is shown as it was written: a reply is text, not a page.
		html: ({ text }: Tokens.HTML | Tokens.Tag) => escapeHtml(text),
		// Drawing a picture from elsewhere would tell that server what is being read.
		image: ({ href, text }: Tokens.Image) => `<a href="${escapeHtml(href)}">${escapeHtml(text || href)}</a>`,
		code: ({ text, lang }: Tokens.Code) => nestedCode(text, lang ?? ''),
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

/** Code inside a list or quote; blocks of their own are CodeBlock components. */
function nestedCode(text: string, info: string): string {
	const language = info.split(/\s/)[0] ?? '';
	const body = highlightNow(text, language) ?? escapeHtml(text);
	return (
		`<div class="code-block"><div class="code-head"><span>${escapeHtml(language || 'text')}</span>` +
		`<button type="button" class="code-copy" data-copy>Copy</button></div><pre><code>${body}</code></pre></div>`
	);
}

const ALLOWED: Config = {
	ALLOWED_TAGS: (
		'p br hr h1 h2 h3 h4 h5 h6 strong em del code pre a ul ol li blockquote div span button ' +
		'table thead tbody tr th td input sup sub'
	).split(' '),
	ALLOWED_ATTR: ['href', 'title', 'class', 'type', 'checked', 'disabled', 'start', 'style', 'data-copy', 'target', 'rel'],
	ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|#|\/(?!\/))/i
};

let hooked = false;

function hookLinks(): void {
	if (hooked) return;
	hooked = true;
	DOMPurify.addHook('afterSanitizeAttributes', (node) => {
		if (node.tagName !== 'A') return;
		node.setAttribute('target', '_blank');
		node.setAttribute('rel', 'noopener noreferrer nofollow');
	});
}

export function renderMarkdown(source: string): string {
	hookLinks();
	return DOMPurify.sanitize(marked.parse(source, { async: false }), ALLOWED);
}
