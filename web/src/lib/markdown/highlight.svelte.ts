/** Colours for code; the highlighter is loaded when the first code block is shown. */
import type { HLJSApi } from 'highlight.js';

/** Longer code stays plain: colouring it on each new token would stall the page. */
const CHARS_MAX = 40_000;

class Highlighter {
	api = $state.raw<HLJSApi | null>(null);
	#loading = false;

	load(): void {
		if (this.#loading) return;
		this.#loading = true;
		import('./languages').then(
			(module) => (this.api = module.default),
			() => (this.#loading = false)
		);
	}
}

const highlighter = new Highlighter();

/** HTML of the coloured code; null while the highlighter loads, or when it does not know the language. */
export function highlightNow(code: string, language: string): string | null {
	highlighter.load();
	const { api } = highlighter;
	if (!api || code.length > CHARS_MAX || !api.getLanguage(language)) return null;
	return api.highlight(code, { language, ignoreIllegals: true }).value;
}
