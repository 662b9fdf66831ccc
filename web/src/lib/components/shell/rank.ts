/**
 * Finds by name: beginnings of the name first, then of words, then anywhere; every typed word must be found.
 */
export function rank<T extends { label: string }>(items: T[], query: string): T[] {
	const words = query.toLowerCase().split(/\s+/).filter(Boolean);
	if (words.length === 0) return items;
	return items
		.map((item) => ({ item, score: scoreOf(item.label.toLowerCase(), words) }))
		.filter(({ score }) => score > 0)
		.sort((a, b) => b.score - a.score)
		.map(({ item }) => item);
}

function scoreOf(label: string, words: string[]): number {
	let score = 0;
	for (const word of words) {
		const at = label.indexOf(word);
		if (at < 0) return 0;
		if (at === 0) score += 3;
		else score += /\s/.test(label[at - 1] ?? '') ? 2 : 1;
	}
	return score;
}
