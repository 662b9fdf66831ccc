/** Agents, their tools, runs and MCP servers: /api/v1/agents. */
import { t } from '$lib/i18n';
import { call, fetchAs, idempotencyKey } from './client';
import { errorFromResponse } from './errors';
import type { Access } from './retrieval';
import type { Page, Role } from './types';

const AGENTS = '/api/v1/agents';

export interface ToolChoice {
	name: string;
	/** Whether a person must agree to each call. */
	approval: 'never' | 'always';
}

export interface RunLimits {
	steps_max: number;
	/** Prompt and completion tokens of all steps. */
	tokens_max: number;
	/** Null: only the budgets. */
	cost_nano_max: number | null;
	duration_s_max: number;
}

export interface AgentFields {
	name: string;
	description: string;
	instructions: string;
	/** Null: the model of the chat. */
	model: string | null;
	tools: ToolChoice[];
	knowledge_base_ids: string[];
	access: Access;
	limits: RunLimits;
}

export interface Agent extends AgentFields {
	id: string;
	built_in: boolean;
	writable: boolean;
	created_at: string;
	updated_at: string;
}

export interface Tool {
	name: string;
	title: string;
	description: string;
	parameters: Record<string, unknown>;
	/** `built-in`, or the name of its MCP server. */
	source: string;
	available: boolean;
	unavailable_reason?: string | null;
}

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

export interface McpStatus {
	state: 'ok' | 'failing' | 'unchecked' | 'disabled';
	connected: boolean;
	checked_at: string | null;
	latency_ms: number | null;
	tool_count: number | null;
	error: string | null;
	calls: number;
	failures: number;
}

export interface McpServer {
	id: string;
	name: string;
	/** `file`: written in the configuration of the installation, and changed only there. */
	source: 'file' | 'api';
	transport: 'stdio' | 'streamable_http';
	url: string | null;
	command: string | null;
	header_names: string[];
	/** Only these of its tools; null: all. */
	tools: string[] | null;
	connect_timeout_s: number;
	call_timeout_s: number;
	enabled: boolean;
	access: McpAccess;
	approval: McpApproval;
	status: McpStatus;
}

/** Who may use a server beside administrators; all empty: nobody else. */
export interface McpAccess {
	roles: Role[];
	team_ids: string[];
	user_ids: string[];
}

/** Which calls the person of a run must agree to, whatever the agent says. */
export type McpApproval = 'never' | 'unless_read_only' | 'always';

export interface McpCheck {
	ok: boolean;
	latency_ms: number | null;
	error: string | null;
	tools: Tool[];
}

/** What can be changed; the name stays. */
export interface McpServerPatch {
	url?: string;
	/** Replaces all that are stored. */
	headers?: Record<string, string>;
	tools?: string[] | null;
	connect_timeout_s?: number;
	call_timeout_s?: number;
	enabled?: boolean;
	access?: McpAccess;
	approval?: McpApproval;
}

export interface NewMcpServer extends McpServerPatch {
	name: string;
	url: string;
}

const MCP = `${AGENTS}/mcp-servers`;

export const listMcpServers = () => call<Page<McpServer>>('GET', MCP);
export const addMcpServer = (body: NewMcpServer) => call<McpServer>('POST', MCP, { body });
export const updateMcpServer = (id: string, body: McpServerPatch) =>
	call<McpServer>('PATCH', `${MCP}/${id}`, { body });
export const checkMcpServer = (id: string) => call<McpCheck>('POST', `${MCP}/${id}/check`);
export const deleteMcpServer = (id: string) => call<void>('DELETE', `${MCP}/${id}`);
