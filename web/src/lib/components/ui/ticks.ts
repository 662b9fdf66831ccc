/**
 * What is ticked, after one row was. For lists of which a part is shown: `bind:group` knows only the boxes on
 * the page, and would drop the others.
 */
export function withTick(ids: string[], id: string, on: boolean): string[] {
	const others = ids.filter((one) => one !== id);
	return on ? [...others, id] : others;
}
