/** Arrow keys, Home, End and the first letters move the focus among the rows of a list. */

const TYPED_MS = 700;
let typed = '';
let typedAt = 0;

/** Which row a key leads to; null when the key is not about moving. Pure but for the letters typed before. */
export function rowFor(key: string, at: number, labels: string[], now: number): number | null {
	const count = labels.length;
	if (count === 0) return null;
	if (key === 'ArrowDown') return (at + 1) % count;
	if (key === 'ArrowUp') return (Math.max(at, 0) - 1 + count) % count;
	if (key === 'Home') return 0;
	if (key === 'End') return count - 1;
	if (key.length !== 1 || key === ' ') return null;
	typed = (now - typedAt < TYPED_MS ? typed : '') + key.toLowerCase();
	typedAt = now;
	// The same letter again goes on to the next row that begins with it.
	const begins = [...typed].every((letter) => letter === typed[0]) ? key.toLowerCase() : typed;
	const from = begins.length === 1 ? at + 1 : Math.max(at, 0);
	for (let i = 0; i < count; i += 1) {
		const row = (from + i) % count;
		if (labels[row]?.toLowerCase().startsWith(begins)) return row;
	}
	return null;
}

/** @param letters whether letters move too: not where they are typed into a field */
export function rove(event: KeyboardEvent, rows: HTMLElement[], letters = true): void {
	if (event.ctrlKey || event.metaKey || event.altKey || (!letters && event.key.length === 1)) return;
	const at = rows.indexOf(document.activeElement as HTMLElement);
	const labels = rows.map((row) => (row.closest('label') ?? row).textContent?.trim() ?? '');
	const next = rowFor(event.key, at, labels, event.timeStamp);
	if (next === null) return;
	event.preventDefault();
	rows[next]?.focus();
}

/** A popover closes when the focus goes elsewhere: it would hide what has it now. */
export function closeOnLeave(panel: HTMLElement): () => void {
	const left = (event: FocusEvent) => {
		const to = event.relatedTarget;
		if (to instanceof Node && !panel.contains(to)) panel.hidePopover();
	};
	panel.addEventListener('focusout', left);
	return () => panel.removeEventListener('focusout', left);
}
