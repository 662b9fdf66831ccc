/** The agents one can chat with. */
import { listAgents, type Agent } from '$lib/api/agents';
import { Listed } from './listed.svelte';

export const agents = new Listed<Agent>(listAgents);
