/** The words the client and the services share, shaped as the services' OpenAPI documents describe them. */

export type Role = 'admin' | 'admin-readonly' | 'finance' | 'org-admin' | 'team-admin' | 'user' | 'pending';

export interface Page<T> {
	object: 'list';
	data: T[];
	has_more: boolean;
	last_id: string | null;
}

export interface Money {
	amount: string;
	currency: string;
}

export interface User {
	id: string;
	email: string;
	name: string;
	role: Role;
	organisation_id: string;
	teams?: string[];
}

/** The caller, with what they may do. */
export interface Me extends User {
	permissions: string[];
}

/** A person as administrators see them. */
export interface UserDetail extends User {
	status: UserStatus;
	last_signin_at: string | null;
	created_at: string;
	updated_at: string;
}

export type UserStatus = 'active' | 'pending' | 'suspended';

export interface AuthConfig {
	name: string;
	signup_open: boolean;
	setup_required: boolean;
	setup_token_required: boolean;
}

export interface TokenAnswer {
	access_token: string;
	token_type: 'Bearer';
	expires_in: number;
	user: User;
}

export interface SessionInfo {
	id: string;
	current: boolean;
	user_agent: string | null;
	address: string | null;
	created_at: string;
	last_used_at: string | null;
}

export interface ApiKey {
	id: string;
	name: string;
	prefix: string;
	models: string[];
	created_at: string;
	expires_at: string | null;
	last_used_at: string | null;
}

export interface NewApiKey extends ApiKey {
	/** The whole key; no later answer carries it. */
	key: string;
}

export interface LoadProgress {
	downloaded_bytes?: number | null;
	total_bytes?: number | null;
	eta_s?: number | null;
}

export type ModelStatus = 'ready' | 'loading' | 'down';

export interface Model {
	id: string;
	name: string;
	provider: string;
	kind: 'chat' | 'embedding';
	context_length: number | null;
	capabilities: string[];
	builtin: boolean;
	starter: boolean;
	status: ModelStatus;
	progress?: LoadProgress | null;
	detail?: string | null;
	priced?: boolean | null;
}

export interface Chat {
	id: string;
	title: string;
	model: string | null;
	current_message_id: string | null;
	created_at: string;
	updated_at: string;
	archived: boolean;
}

export type MessageStatus = 'streaming' | 'complete' | 'stopped' | 'interrupted' | 'failed';

export interface Usage {
	prompt_tokens: number | null;
	completion_tokens: number | null;
	cost_nano: number | null;
	remaining_nano: number | null;
}

/** What a problem+json body or an `error` event says beyond its code. */
export interface ProblemExtras {
	scope?: string;
	scope_id?: string;
	limit_nano?: number | null;
	spent_nano?: number | null;
	held_nano?: number | null;
	remaining_nano?: number | null;
	resets_at?: string | null;
	upgrade_url?: string | null;
	model?: string;
	action?: { label: string; method?: string; path?: string } | null;
	retry_after_s?: number;
}

export interface ReplyError {
	code: string;
	detail: string;
	status?: number;
	extra?: ProblemExtras | null;
}

export interface Message {
	id: string;
	chat_id: string;
	parent_id: string | null;
	role: 'user' | 'assistant';
	content: string;
	model: string | null;
	status: MessageStatus;
	error: ReplyError | null;
	usage: Usage | null;
	sibling_ids: string[];
	created_at: string;
	updated_at: string;
}

export interface Budget {
	id: string;
	scope: BudgetScope;
	scope_id: string;
	window: BudgetWindow;
	limit_nano: number;
	spent_nano: number;
	held_nano: number;
	remaining_nano: number;
	resets_at: string | null;
	/** Set by the installation, not by an administrator. */
	is_default?: boolean;
}

export type BudgetScope = 'organisation' | 'team' | 'user' | 'key';
export type BudgetWindow = 'hour' | 'day' | 'week' | 'month' | 'total';

export interface Wallet {
	id: string;
	organisation_id?: string;
	balance_nano: number;
	held_nano: number;
	available_nano: number;
	balance?: Money;
}

export interface TopUp {
	id: string;
	amount_nano: number;
	wallet: Wallet;
}

export interface Entitlements {
	organisation_id: string;
	currency: string;
	remaining_nano: number | null;
	wallet: Wallet | null;
	budgets: Budget[];
}

export interface UsageRow {
	day?: string | null;
	model?: string | null;
	user_id?: string | null;
	key_id?: string | null;
	requests: number;
	input_tokens: number;
	output_tokens: number;
	cost_nano: number;
}

export interface UsageReport {
	object: 'list';
	data: UsageRow[];
	total: UsageRow;
}

export interface Price {
	id: string;
	model: string;
	free: boolean;
	input_nano_per_mtok: number | null;
	output_nano_per_mtok: number | null;
	cache_read_nano_per_mtok?: number | null;
	cache_write_nano_per_mtok?: number | null;
	effective_from: string;
	effective_to?: string | null;
}

export type ServiceState = 'ok' | 'degraded' | 'down';

export interface ServiceStatus {
	status: ServiceState;
	latency_ms: number | null;
	detail?: string | null;
	version?: string | null;
}

export interface PlatformStatus {
	status: ServiceState;
	version: string;
	services: Record<string, ServiceStatus>;
}
