/** What people write, as it is shown: their words as they stand, their code as code. Pure. */

/** Words, or code within them. */
export interface OwnWords {
	code: boolean;
	text: string;
}

/** Either a block of code, or words with what code they hold. */
export type OwnBlock = { block: { language: string; text: string } } | { words: OwnWords[] };

const FENCE = /(?:^|\n)(`{3,}|~{3,})([^\n`]*)\n([\s\S]*?)(?:\n\1[ \t]*(?=\n|$)|$)\n?/;
const INLINE = /(`+)(?!`)([^\n]*?[^\n`])\1(?!`)/;

/** Cuts a message into words and blocks of code. */
export function ownBlocks(message: string): OwnBlock[] {
	const blocks: OwnBlock[] = [];
	let rest = message;
	for (let fence = FENCE.exec(rest); fence; fence = FENCE.exec(rest)) {
		const [whole, , info = '', text = ''] = fence;
		const language = /^\s*([\w+#.-]*)/.exec(info)?.[1]?.toLowerCase() ?? '';
		blocks.push(...words(rest.slice(0, fence.index)), { block: { language, text } });
		rest = rest.slice(fence.index + whole.length);
	}
	return [...blocks, ...words(rest)];
}

function words(message: string): OwnBlock[] {
	const parts: OwnWords[] = [];
	let rest = message.replace(/^\n+|\s+$/g, '');
	for (let found = INLINE.exec(rest); found; found = INLINE.exec(rest)) {
		if (found.index > 0) parts.push({ code: false, text: rest.slice(0, found.index) });
		parts.push({ code: true, text: (found[2] ?? '').trim() });
		rest = rest.slice(found.index + found[0].length);
	}
	if (rest !== '') parts.push({ code: false, text: rest });
	return parts.length > 0 ? [{ words: parts }] : [];
}

const LINES_MAX = 14;
const CHARS_MAX = 1_200;
/** Not worth folding what is hardly longer. */
const SLACK = 1.25;

/** The beginning of a long message, to be shown first; null when it is shown whole. */
export function headOf(message: string): string | null {
	const lines = message.split('\n');
	if (lines.length <= LINES_MAX * SLACK && message.length <= CHARS_MAX * SLACK) return null;
	const head = lines.slice(0, LINES_MAX).join('\n');
	return head.length <= CHARS_MAX ? head : head.slice(0, CHARS_MAX);
}

const FENCE_LINE = /(?:^|\n)(?:`{3,}|~{3,})[^\n`]*$/;

/** The beginning of a message with the mark that more follows; a fence keeps its line to itself. */
export function goesOn(head: string): string {
	const text = head.trimEnd();
	return FENCE_LINE.test(text) ? `${text}\n…` : `${text}…`;
}
