/** The agents one can chat with. */
import { listAgents, type Agent } from '$lib/api/agents';
import { everyPage } from '$lib/api/pages';
import { toApiError, type ApiError } from '$lib/api/errors';

class Agents {
	all = $state.raw<Agent[]>([]);
	loaded = $state(false);
	error = $state.raw<ApiError | null>(null);

	get(id: string | null): Agent | null {
		return this.all.find((agent) => agent.id === id) ?? null;
	}

	async refresh(): Promise<void> {
		try {
			this.all = await everyPage(listAgents);
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

export const agents = new Agents();
