/** The knowledge bases one can look things up in. */
import { everyPage } from '$lib/api/pages';
import { toApiError, type ApiError } from '$lib/api/errors';
import { listKnowledge, type KnowledgeBase } from '$lib/api/retrieval';

class Knowledge {
	all = $state.raw<KnowledgeBase[]>([]);
	loaded = $state(false);
	error = $state.raw<ApiError | null>(null);

	get(id: string | null): KnowledgeBase | null {
		return this.all.find((base) => base.id === id) ?? null;
	}

	async refresh(): Promise<void> {
		try {
			this.all = (await everyPage(listKnowledge)).sort((a, b) =>
				a.name.localeCompare(b.name, undefined, { numeric: true })
			);
			this.error = null;
			this.loaded = true;
		} catch (error) {
			this.error = toApiError(error);
		}
	}

	clear(): void {
		this.all = [];
		this.loaded = false;
		this.error = null;
	}
}

export const knowledge = new Knowledge();
