/** The knowledge bases one can look things up in. */
import { listKnowledge, type KnowledgeBase } from '$lib/api/retrieval';
import { Listed } from './listed.svelte';

export const knowledge = new Listed<KnowledgeBase>(listKnowledge, (a, b) =>
	a.name.localeCompare(b.name, undefined, { numeric: true })
);
