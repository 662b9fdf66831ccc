/**
 * The words the client and the services share: names for the types generated from the services' OpenAPI
 * documents.
 */
import type { components as Billing } from './generated/billing-service';
import type { components as ChatService } from './generated/chat-service';
import type { components as Gateway } from './generated/gateway';
import type { components as Inference } from './generated/inference-service';

/** What has a default is in every answer; the generated types leave it open, for requests may omit it. */
export type Filled<T, Key extends keyof T> = Omit<T, Key> & {
	[K in Key]-?: Exclude<T[K], undefined>;
};

/** Every list, whatever it holds. */
export type Page<T> = Omit<ChatService['schemas']['Page_Chat_'], 'data' | 'last_id'> & {
	data: T[];
	last_id: string | null;
};

export type Role = Gateway['schemas']['Role'];
export type User = Gateway['schemas']['User'];
/** The caller, with what they may do. */
export type Me = Gateway['schemas']['Me'];
/** A person as administrators see them. */
export type UserDetail = Gateway['schemas']['UserDetail'];
export type TeamInfo = Gateway['schemas']['TeamInfo'];
export type UserStatus = Gateway['schemas']['AccountStatus'];
export type AuthConfig = Gateway['schemas']['AuthConfig'];
export type TokenAnswer = Gateway['schemas']['SignedIn'];
export type SignUp = Gateway['schemas']['SignUp'];
export type SessionInfo = Gateway['schemas']['SessionInfo'];
export type ApiKey = Gateway['schemas']['KeyInfo'];
/** With the whole key; no later answer carries it. */
export type NewApiKey = Gateway['schemas']['CreatedKey'];
export type NewKeyRequest = Partial<Gateway['schemas']['NewKey']> &
	Pick<Gateway['schemas']['NewKey'], 'name'>;
export type PlatformStatus = Gateway['schemas']['InstallationStatus'];
export type ServiceState = PlatformStatus['status'];

export type LoadProgress = ChatService['schemas']['LoadProgress'];
export type Model = Filled<Inference['schemas']['ModelView'], 'progress'>;

/** `agent_id`: who writes the replies; null: the bare model. */
export type Chat = Filled<ChatService['schemas']['Chat'], 'knowledge_base_ids' | 'agent_id'>;

/**
 * What a reply is made of beside its text: steps, tool calls, the files they made, the passages it may cite.
 */
export type Attachment = ChatService['schemas']['Attachment'];
export type Citation = ChatService['schemas']['Citation'];
export type Step = ChatService['schemas']['StepEventData'];
export type RunFile = ChatService['schemas']['RunFile'];
export type ToolCall = Filled<ChatService['schemas']['ToolEventData'], 'arguments' | 'files'>;
export type Part = Step | ToolCall;

export type Message = Filled<
	Omit<ChatService['schemas']['Message'], 'error' | 'steps'>,
	'attachments' | 'citations' | 'agent_id' | 'finish_reason' | 'left_out'
> & { error?: ReplyError | null; steps: Part[] };
export type LeftOut = ChatService['schemas']['LeftOutEventData'];
export type MessageStatus = Message['status'];
export type Usage = ChatService['schemas']['MessageUsage'];

/** What a problem+json body or an `error` event says beyond its code. */
export interface ProblemExtras {
	scope?: string;
	scope_id?: string;
	limit_nano?: number | null;
	spent_nano?: number | null;
	held_nano?: number | null;
	remaining_nano?: number | null;
	resets_at?: string | null;
	/** What this request needs at least. */
	required_nano?: number | null;
	/** What can be done; `ask_admin`: only somebody else can. */
	action?: { kind?: string; label?: string };
	model?: string;
	/** What an operator finds the failure by. */
	request_id?: string | null;
	retry_after_s?: number;
}

export type ReplyError = Omit<ChatService['schemas']['MessageError'], 'extra'> & {
	extra?: ProblemExtras | null;
};

export type Budget = Billing['schemas']['EntitledBudget'] &
	Partial<Pick<Billing['schemas']['Budget'], 'is_default'>>;
export type BudgetChange = Billing['schemas']['BudgetChange'];
export type BudgetScope = Budget['scope'];
export type BudgetWindow = Budget['window'];
export type Wallet = Billing['schemas']['WalletBalance'];
export type TopUp = Billing['schemas']['TopUp'];
export type Entitlements = Billing['schemas']['Entitlements'];
export type UsageRow = Omit<Billing['schemas']['UsageGroup'], 'cost'>;
export type UsageReport = Omit<Billing['schemas']['UsageReport'], 'data'> & { data: UsageRow[] };
export type Price = Billing['schemas']['Price'];
export type PriceChange = Billing['schemas']['PriceChange'];
