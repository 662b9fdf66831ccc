/** The words the client and the services share: names for the types generated from the services' OpenAPI documents. */
import type { components as Billing } from './generated/billing-service';
import type { components as ChatService } from './generated/chat-service';
import type { components as Gateway } from './generated/gateway';
import type { components as Inference } from './generated/inference-service';
import type { Attachment, Citation, Part } from './parts';

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
export type SessionInfo = Gateway['schemas']['SessionInfo'];
export type ApiKey = Gateway['schemas']['KeyInfo'];
/** With the whole key; no later answer carries it. */
export type NewApiKey = Gateway['schemas']['CreatedKey'];
export type PlatformStatus = Gateway['schemas']['InstallationStatus'];
export type ServiceState = PlatformStatus['status'];

export type LoadProgress = ChatService['schemas']['LoadProgress'];
export type Model = Omit<Inference['schemas']['ModelView'], 'progress'> & { progress: LoadProgress | null };

export type Chat = Omit<ChatService['schemas']['Chat'], 'knowledge_base_ids' | 'agent_id'> & {
	knowledge_base_ids: string[];
	/** Who writes the replies; null: the bare model. */
	agent_id: string | null;
};
export type Message = Omit<
	ChatService['schemas']['Message'],
	'error' | 'attachments' | 'citations' | 'steps' | 'agent_id' | 'finish_reason' | 'left_out'
> & {
	/** Why the reply ended, in the provider's word; null while it is not known. */
	finish_reason: string | null;
	left_out: LeftOut | null;
	error?: ReplyError | null;
	attachments: Attachment[];
	citations: Citation[];
	/** What was done for the reply, in order; tool calls as they ended. */
	steps: Part[];
	agent_id: string | null;
};
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
