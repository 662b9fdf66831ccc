/** Agents, their tools, runs and MCP servers: /api/v1/agents. */
import { t } from '$lib/i18n';
import { call, fetchAs, idempotencyKey } from './client';
import { errorFromResponse } from './errors';
import type { components as Service } from './generated/agent-service';
import type { Filled, Page } from './types';

const AGENTS = '/api/v1/agents';

type Schemas = Service['schemas'];

export type ToolChoice = Schemas['ToolChoice'];
export type RunLimits = Filled<Schemas['RunLimits'], 'cost_nano_max'>;
/** What can be set; without a model it is the chat's, without a limit of cost only the budgets hold. */
export type AgentFields = Filled<Schemas['AgentFields'], 'knowledge_base_ids' | 'model' | 'tools'> & {
	limits: RunLimits;
};
export type Agent = AgentFields & Schemas['Agent'];
export type Tool = Schemas['Tool'];

export const listAgents = (after: string | null = null) =>
	call<Page<Agent>>('GET', AGENTS, { query: { limit: 100, after } });
export const createAgent = (body: AgentFields) =>
	call<Agent>('POST', AGENTS, { body, headers: idempotencyKey() });
export const updateAgent = (id: string, body: Partial<AgentFields>) =>
	call<Agent>('PATCH', `${AGENTS}/${id}`, { body });
export const deleteAgent = (id: string) => call<void>('DELETE', `${AGENTS}/${id}`);
export const listTools = () => call<Page<Tool>>('GET', `${AGENTS}/tools`);

/** An agent's run has the id of the reply it writes. */
export const decide = (runId: string, callId: string, decision: 'approve' | 'deny') =>
	call<void>('POST', `${AGENTS}/runs/${runId}/approvals/${encodeURIComponent(callId)}`, {
		body: { decision }
	});

/** A file a tool made. The address comes with the reply: only an own path gets the token. */
export async function runFile(url: string): Promise<Blob> {
	if (!url.startsWith('/api/v1/')) throw new Error(t('agents.thisFileHasNo'));
	const response = await fetchAs('GET', url, { headers: { accept: '*/*' } });
	if (!response.ok) throw await errorFromResponse(response);
	return response.blob();
}

/** Who may use a server beside administrators; all empty: nobody else. */
export type McpAccess = Required<Schemas['McpAccess']>;
export type McpServer = Schemas['McpServer'] & { access: McpAccess };
/** Which calls the person of a run must agree to, whatever the agent says. */
export type McpApproval = McpServer['approval'];
export type McpStatus = Schemas['McpServerStatus'];
export type McpCheck = Schemas['McpCheck'];
/** What can be changed; the name stays. Headers replace all that are stored. */
export type McpServerPatch = Schemas['McpServerPatch'];
export type NewMcpServer = McpServerPatch & Pick<Schemas['McpServerCreate'], 'name' | 'url'>;

const MCP = `${AGENTS}/mcp-servers`;

export const listMcpServers = () => call<Page<McpServer>>('GET', MCP);
export const addMcpServer = (body: NewMcpServer) => call<McpServer>('POST', MCP, { body });
export const updateMcpServer = (id: string, body: McpServerPatch) =>
	call<McpServer>('PATCH', `${MCP}/${id}`, { body });
export const checkMcpServer = (id: string) => call<McpCheck>('POST', `${MCP}/${id}/check`);
export const deleteMcpServer = (id: string) => call<void>('DELETE', `${MCP}/${id}`);
