/** A service's message as a sentence of the page: it begins with a capital and ends with a stop. */
export function asSentence(text: string): string {
	const trimmed = text.trim();
	if (trimmed === '') return '';
	const ended = /[.!?…:)\]}"'`]$/.test(trimmed) ? trimmed : `${trimmed}.`;
	return ended.charAt(0).toUpperCase() + ended.slice(1);
}
