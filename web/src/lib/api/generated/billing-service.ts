/** Written by `npm run generate` from docs/openapi; edit the service, not this file. */

export interface paths {
    "/api/v1/billing/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Changes of prices, budgets and wallets */
        get: operations["list_audit_api_v1_billing_audit_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/billing/budgets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Budgets with their current windows */
        get: operations["list_budgets_api_v1_billing_budgets_get"];
        /** Set a hard budget */
        put: operations["set_budget_api_v1_billing_budgets_put"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/billing/budgets/{budget_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Remove a budget */
        delete: operations["delete_budget_api_v1_billing_budgets__budget_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/billing/entitlements": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What is left at each level */
        get: operations["read_entitlements_api_v1_billing_entitlements_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/billing/ledger/entries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Transfers of the double-entry ledger, newest first */
        get: operations["list_entries_api_v1_billing_ledger_entries_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/billing/prices": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Prices in force and planned */
        get: operations["list_prices_api_v1_billing_prices_get"];
        /** Set a model's price or mark it free */
        put: operations["set_price_api_v1_billing_prices_put"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/billing/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Usage and cost by day, model, user or key */
        get: operations["read_usage_api_v1_billing_usage_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/billing/usage/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Single dispatches with their exact cost */
        get: operations["list_events_api_v1_billing_usage_events_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/billing/wallets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The organisation's wallets */
        get: operations["list_wallets_api_v1_billing_wallets_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/billing/wallets/{wallet_id}/top-ups": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Put paid credit into a wallet */
        post: operations["top_up_api_v1_billing_wallets__wallet_id__top_ups_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/usage-tracking/sync/openrouter-usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Compare with OpenRouter's own figures now
         * @description The run is in the background; GET /sync/status says how far it is.
         */
        post: operations["sync_now_api_v1_usage_tracking_sync_openrouter_usage_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/usage-tracking/sync/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the synchronisation with OpenRouter did last */
        get: operations["sync_status_api_v1_usage_tracking_sync_status_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/usage-tracking/usage/manual-record": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Record usage that happened elsewhere
         * @description A transaction id that is known answers 200 with the first record.
         */
        post: operations["record_manually_api_v1_usage_tracking_usage_manual_record_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/usage-tracking/usage/real-time/{client_org_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What an organisation used today and this month */
        get: operations["real_time_api_v1_usage_tracking_usage_real_time__client_org_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The process is alive */
        get: operations["healthz_healthz_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Changes in all organisations, the oldest first */
        get: operations["list_recorded_internal_v1_audit_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/v1/reservations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Hold the most a dispatch can cost */
        post: operations["post_internal_v1_reservations"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/v1/reservations/batch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Many reserves, settlements and releases, each answered alone */
        post: operations["post_internal_v1_reservations_batch"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/v1/reservations/checkpoint": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Renew the holds of running streams */
        post: operations["post_internal_v1_reservations_checkpoint"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/v1/reservations/{request_id}/release": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Give back a hold that was never dispatched */
        post: operations["post_internal_v1_reservations_request_id_release"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/v1/reservations/{request_id}/settle": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Charge what a dispatch used */
        post: operations["post_internal_v1_reservations_request_id_settle"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/v1/usage/{request_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What became of a dispatch */
        get: operations["get_internal_v1_usage_request_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The service can work */
        get: operations["readyz_readyz_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * AuditEntry
         * @description Who changed what, from what to what.
         */
        AuditEntry: {
            /** Action */
            action: string;
            /** Actor Id */
            actor_id: string | null;
            /** After */
            after: {
                [key: string]: unknown;
            } | null;
            /**
             * At
             * Format: date-time
             */
            at: string;
            /** Before */
            before: {
                [key: string]: unknown;
            } | null;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Object Id */
            object_id: string;
        };
        /**
         * AuditRecorded
         * @description The event `audit.recorded`: who changed what, from what to what. The same id is the same act.
         *
         *     `subject` is what was changed, as its service names it: an id, or the name of a model. No `actor_id`: no
         *     person did it.
         */
        AuditRecorded: {
            /** Action */
            action: string;
            /** Actor Id */
            actor_id?: string | null;
            /** After */
            after?: {
                [key: string]: unknown;
            } | null;
            /**
             * At
             * Format: date-time
             */
            at: string;
            /** Before */
            before?: {
                [key: string]: unknown;
            } | null;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /**
             * Organisation Id
             * Format: uuid
             */
            organisation_id: string;
            /** Subject */
            subject: string;
        };
        /**
         * Batch
         * @description Calls of one process that travel together.
         */
        Batch: {
            /** Entries */
            entries: (components["schemas"]["ReserveEntry"] | components["schemas"]["SettleEntry"] | components["schemas"]["ReleaseEntry"])[];
        };
        /**
         * BatchAnswer
         * @description What the entry would have been answered alone: `body` is problem+json unless `status` is 200.
         */
        BatchAnswer: {
            /** Body */
            body: components["schemas"]["Reservation"] | components["schemas"]["Settlement"] | components["schemas"]["Release"] | {
                [key: string]: unknown;
            };
            /** Status */
            status: number;
        };
        /**
         * BatchAnswers
         * @description One for each entry, in their order.
         */
        BatchAnswers: {
            /** Answers */
            answers: components["schemas"]["BatchAnswer"][];
        };
        /**
         * Budget
         * @description `resets_at` is when the window ends (UTC); null for a total.
         */
        Budget: {
            /** Held Nano */
            held_nano: number;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Is Default */
            is_default: boolean;
            limit: components["schemas"]["Money"];
            /** Limit Nano */
            limit_nano: number;
            /** Remaining Nano */
            remaining_nano: number;
            /** Resets At */
            resets_at: string | null;
            /**
             * Scope
             * @enum {string}
             */
            scope: "organisation" | "team" | "user" | "key";
            /**
             * Scope Id
             * Format: uuid
             */
            scope_id: string;
            /** Spent Nano */
            spent_nano: number;
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
            /**
             * Window
             * @enum {string}
             */
            window: "hour" | "day" | "week" | "month" | "total";
        };
        /**
         * BudgetChange
         * @description Set the hard limit of one scope in one kind of window; there is one budget for each such pair.
         */
        BudgetChange: {
            /**
             * Limit
             * @description USD as a decimal text, such as "5.00"; "0" stops all paid use
             */
            limit: string;
            /**
             * Scope
             * @enum {string}
             */
            scope: "organisation" | "team" | "user" | "key";
            /**
             * Scope Id
             * Format: uuid
             */
            scope_id: string;
            /**
             * Window
             * @enum {string}
             */
            window: "hour" | "day" | "week" | "month" | "total";
        };
        /** Checkpoint */
        Checkpoint: {
            /** Lost */
            lost: string[];
            /** Renewed */
            renewed: string[];
        };
        /**
         * CheckpointRequest
         * @description Progress of all live streams of one process; renews their holds.
         */
        CheckpointRequest: {
            /** Holds */
            holds: components["schemas"]["HoldProgress"][];
        };
        /**
         * EntitledBudget
         * @description A hard limit and what is left of it in its current window; `resets_at` is null for a total.
         */
        EntitledBudget: {
            /** Held Nano */
            held_nano: number;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Limit Nano */
            limit_nano: number;
            /** Remaining Nano */
            remaining_nano: number;
            /** Resets At */
            resets_at: string | null;
            /**
             * Scope
             * @enum {string}
             */
            scope: "organisation" | "team" | "user" | "key";
            /**
             * Scope Id
             * Format: uuid
             */
            scope_id: string;
            /** Spent Nano */
            spent_nano: number;
            /**
             * Window
             * @enum {string}
             */
            window: "hour" | "day" | "week" | "month" | "total";
        };
        /**
         * Entitlements
         * @description What is left to the caller at each level; `remaining_nano` is the least of them all.
         */
        Entitlements: {
            /** Budgets */
            budgets: components["schemas"]["EntitledBudget"][];
            /**
             * Currency
             * @default USD
             * @constant
             */
            currency: "USD";
            /**
             * Organisation Id
             * Format: uuid
             */
            organisation_id: string;
            remaining: components["schemas"]["Money"];
            /** Remaining Nano */
            remaining_nano: number;
            wallet: components["schemas"]["WalletView"];
        };
        /**
         * Figures
         * @description Sums over some time.
         */
        Figures: {
            cost: components["schemas"]["Money"];
            /** Cost Nano */
            cost_nano: number;
            /** Input Tokens */
            input_tokens: number;
            /** Output Tokens */
            output_tokens: number;
            /** Requests */
            requests: number;
            /** Tokens */
            tokens: number;
        };
        /** HTTPValidationError */
        HTTPValidationError: {
            /** Detail */
            detail?: components["schemas"]["ValidationError"][];
        };
        /** HoldProgress */
        HoldProgress: {
            /** Output Tokens */
            output_tokens: number;
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        /**
         * LedgerEntry
         * @description One transfer: `amount_nano` left the debit account and reached the credit account. Entries never
         *     change.
         */
        LedgerEntry: {
            amount: components["schemas"]["Money"];
            /** Amount Nano */
            amount_nano: number;
            /**
             * At
             * Format: date-time
             */
            at: string;
            /** Credit */
            credit: string;
            /**
             * Credit Account
             * Format: uuid
             */
            credit_account: string;
            /** Debit */
            debit: string;
            /**
             * Debit Account
             * Format: uuid
             */
            debit_account: string;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Reason */
            reason: string;
            /** Transaction Id */
            transaction_id: string;
        };
        /**
         * ManualRecord
         * @description Usage that happened elsewhere. It counts in the figures; the wallet pays only with `charge`.
         */
        ManualRecord: {
            /**
             * Charge
             * @description take the cost from the wallet
             * @default false
             */
            charge: boolean;
            /**
             * Client Org Id
             * @description absent: the caller's organisation
             */
            client_org_id?: string | null;
            /**
             * Cost
             * @description USD, as a decimal text ("0.002") or a number
             */
            cost: string | number;
            /** Model */
            model: string;
            /**
             * Occurred At
             * @description absent: now; not in the future
             */
            occurred_at?: string | null;
            /**
             * Output Tokens
             * @description how many of `tokens` were output
             */
            output_tokens?: number | null;
            /**
             * Tokens
             * @description all tokens; counted as input unless output_tokens says how many were output
             */
            tokens: number;
            /**
             * Transaction Id
             * @description the same id twice is recorded once
             */
            transaction_id?: string | null;
            /**
             * User Id
             * @description who used it, when that is known
             */
            user_id?: string | null;
        };
        /** ModelFigures */
        ModelFigures: {
            cost: components["schemas"]["Money"];
            /** Cost Nano */
            cost_nano: number;
            /** Input Tokens */
            input_tokens: number;
            /** Model */
            model: string;
            /** Output Tokens */
            output_tokens: number;
            /** Requests */
            requests: number;
            /** Tokens */
            tokens: number;
        };
        /**
         * Money
         * @description An amount as the API shows it.
         */
        Money: {
            /** Amount */
            amount: string;
            /**
             * Currency
             * @default USD
             * @constant
             */
            currency: "USD";
        };
        /** Page[AuditEntry] */
        Page_AuditEntry_: {
            /** Data */
            data: components["schemas"]["AuditEntry"][];
            /**
             * Has More
             * @default false
             */
            has_more: boolean;
            /** Last Id */
            last_id?: string | null;
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
        };
        /** Page[AuditRecorded] */
        Page_AuditRecorded_: {
            /** Data */
            data: components["schemas"]["AuditRecorded"][];
            /**
             * Has More
             * @default false
             */
            has_more: boolean;
            /** Last Id */
            last_id?: string | null;
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
        };
        /** Page[Budget] */
        Page_Budget_: {
            /** Data */
            data: components["schemas"]["Budget"][];
            /**
             * Has More
             * @default false
             */
            has_more: boolean;
            /** Last Id */
            last_id?: string | null;
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
        };
        /** Page[LedgerEntry] */
        Page_LedgerEntry_: {
            /** Data */
            data: components["schemas"]["LedgerEntry"][];
            /**
             * Has More
             * @default false
             */
            has_more: boolean;
            /** Last Id */
            last_id?: string | null;
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
        };
        /** Page[Price] */
        Page_Price_: {
            /** Data */
            data: components["schemas"]["Price"][];
            /**
             * Has More
             * @default false
             */
            has_more: boolean;
            /** Last Id */
            last_id?: string | null;
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
        };
        /** Page[UsageEvent] */
        Page_UsageEvent_: {
            /** Data */
            data: components["schemas"]["UsageEvent"][];
            /**
             * Has More
             * @default false
             */
            has_more: boolean;
            /** Last Id */
            last_id?: string | null;
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
        };
        /** Page[WalletBalance] */
        Page_WalletBalance_: {
            /** Data */
            data: components["schemas"]["WalletBalance"][];
            /**
             * Has More
             * @default false
             */
            has_more: boolean;
            /** Last Id */
            last_id?: string | null;
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
        };
        /**
         * Price
         * @description One version; its `id` is the `price_version` that holds and usage events name.
         */
        Price: {
            /** Audio In Nano Per Mtok */
            audio_in_nano_per_mtok: number;
            /** Audio Out Nano Per Mtok */
            audio_out_nano_per_mtok: number;
            /** Cache Read Nano Per Mtok */
            cache_read_nano_per_mtok: number;
            /** Cache Write Nano Per Mtok */
            cache_write_nano_per_mtok: number;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Created By */
            created_by: string | null;
            /**
             * Currency
             * @default USD
             * @constant
             */
            currency: "USD";
            /**
             * Effective From
             * Format: date-time
             */
            effective_from: string;
            /** Effective To */
            effective_to: string | null;
            /** Free */
            free: boolean;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Input Nano Per Mtok */
            input_nano_per_mtok: number;
            /** Model */
            model: string;
            /** Output Nano Per Mtok */
            output_nano_per_mtok: number;
            /** Reasoning Nano Per Mtok */
            reasoning_nano_per_mtok: number;
            /**
             * Source
             * @enum {string}
             */
            source: "seed" | "admin";
        };
        /**
         * PriceChange
         * @description A new price of a model, each bucket in USD (`input`) or in nano-USD (`input_nano_per_mtok`) per million
         *     tokens.
         *
         *     Buckets left out follow input (cache, audio in) or output (reasoning, audio out).
         */
        PriceChange: {
            /** Audio In */
            audio_in?: (string | number) | null;
            /** Audio In Nano Per Mtok */
            audio_in_nano_per_mtok?: number | null;
            /** Audio Out */
            audio_out?: (string | number) | null;
            /** Audio Out Nano Per Mtok */
            audio_out_nano_per_mtok?: number | null;
            /** Cache Read */
            cache_read?: (string | number) | null;
            /** Cache Read Nano Per Mtok */
            cache_read_nano_per_mtok?: number | null;
            /** Cache Write */
            cache_write?: (string | number) | null;
            /** Cache Write Nano Per Mtok */
            cache_write_nano_per_mtok?: number | null;
            /**
             * Effective From
             * @description absent: from now on; never in the past
             */
            effective_from?: string | null;
            /**
             * Free
             * @default false
             */
            free: boolean;
            /** Input */
            input?: (string | number) | null;
            /** Input Nano Per Mtok */
            input_nano_per_mtok?: number | null;
            /** Model */
            model: string;
            /** Output */
            output?: (string | number) | null;
            /** Output Nano Per Mtok */
            output_nano_per_mtok?: number | null;
            /** Reasoning */
            reasoning?: (string | number) | null;
            /** Reasoning Nano Per Mtok */
            reasoning_nano_per_mtok?: number | null;
        };
        /**
         * PrincipalChain
         * @description Who pays: the levels a budget can sit on.
         */
        PrincipalChain: {
            /**
             * Key Id
             * @default null
             */
            key_id: string | null;
            /** Models */
            models?: string[];
            /**
             * Organisation Id
             * Format: uuid
             */
            organisation_id: string;
            /**
             * Role
             * @description what a refusal may offer depends on it; absent: as for anybody
             * @default null
             */
            role: string | null;
            /**
             * Team Id
             * Format: uuid
             */
            team_id: string;
            /**
             * User Id
             * Format: uuid
             */
            user_id: string;
        };
        /**
         * RealTimeUsage
         * @description What an organisation used today and this month (UTC), charged here or seen elsewhere; a dispatch counts
         *     once.
         */
        RealTimeUsage: {
            /**
             * As Of
             * Format: date-time
             */
            as_of: string;
            /**
             * By Model
             * @description this month, dearest first
             */
            by_model: components["schemas"]["ModelFigures"][];
            /**
             * Client Org Id
             * Format: uuid
             */
            client_org_id: string;
            month: components["schemas"]["Figures"];
            today: components["schemas"]["Figures"];
        };
        /**
         * RecordedExternally
         * @description One record as it was stored.
         */
        RecordedExternally: {
            /** Charged */
            charged: boolean;
            cost: components["schemas"]["Money"];
            /** Cost Nano */
            cost_nano: number;
            /** Cost Usd */
            cost_usd: number;
            /** Input Tokens */
            input_tokens: number;
            /** Model */
            model: string;
            /**
             * Occurred At
             * Format: date-time
             */
            occurred_at: string;
            /** Output Tokens */
            output_tokens: number;
            /**
             * Source
             * @enum {string}
             */
            source: "manual" | "openrouter";
            /** Tokens */
            tokens: number;
            /** Transaction Id */
            transaction_id: string;
        };
        /**
         * RecordedUsage
         * @description What became of one dispatch.
         */
        RecordedUsage: {
            /** Cost Nano */
            cost_nano: number;
            /** Input Tokens */
            input_tokens: number;
            /** Output Tokens */
            output_tokens: number;
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
            /**
             * State
             * @enum {string}
             */
            state: "held" | "settled" | "released" | "expired";
        };
        /** Release */
        Release: {
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
            /**
             * State
             * @default released
             * @constant
             */
            state: "released";
        };
        /** ReleaseEntry */
        ReleaseEntry: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            action: "release";
            body: components["schemas"]["ReleaseRequest"];
            /**
             * Dispatch Id
             * Format: uuid
             */
            dispatch_id: string;
            /**
             * Request Id
             * @default null
             */
            request_id: string | null;
            /**
             * Traceparent
             * @default null
             */
            traceparent: string | null;
        };
        /**
         * ReleaseRequest
         * @description Give a hold back: nothing was dispatched.
         */
        ReleaseRequest: {
            /** Reason */
            reason: string;
        };
        /**
         * Reservation
         * @description A granted hold. `granted_output_tokens` is what the provider may be asked for, per choice.
         */
        Reservation: {
            /** Amount Nano */
            amount_nano: number;
            /**
             * Expires At
             * Format: date-time
             */
            expires_at: string;
            /** Free */
            free: boolean;
            /** Granted Output Tokens */
            granted_output_tokens: number;
            /** Price Version */
            price_version: string | null;
            /** Remaining Nano */
            remaining_nano: number | null;
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
            /**
             * State
             * @default held
             * @constant
             */
            state: "held";
        };
        /** ReserveEntry */
        ReserveEntry: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            action: "reserve";
            body: components["schemas"]["ReserveRequest"];
            /**
             * Request Id
             * @default null
             */
            request_id: string | null;
            /**
             * Traceparent
             * @default null
             */
            traceparent: string | null;
        };
        /**
         * ReserveRequest
         * @description Ask for the most one dispatch can cost. `request_id` is made per dispatch and is the hold's key.
         */
        ReserveRequest: {
            /**
             * Input Tokens Floor
             * @description input charged if nobody ever settles; a quarter of input_tokens_max when absent
             * @default null
             */
            input_tokens_floor: number | null;
            /** Input Tokens Max */
            input_tokens_max: number;
            /**
             * Kind
             * @default chat
             * @enum {string}
             */
            kind: "chat" | "embedding";
            /** Model */
            model: string;
            /**
             * N
             * @default 1
             */
            n: number;
            /** Output Tokens Max */
            output_tokens_max: number;
            principal: components["schemas"]["PrincipalChain"];
            /** Provider */
            provider: string;
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
        };
        /** SettleEntry */
        SettleEntry: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            action: "settle";
            body: components["schemas"]["SettleRequest"];
            /**
             * Dispatch Id
             * Format: uuid
             */
            dispatch_id: string;
            /**
             * Request Id
             * @default null
             */
            request_id: string | null;
            /**
             * Traceparent
             * @default null
             */
            traceparent: string | null;
        };
        /**
         * SettleRequest
         * @description What one dispatch really used.
         */
        SettleRequest: {
            /**
             * Latency Ms
             * @default 0
             */
            latency_ms: number;
            /**
             * Occurred At
             * Format: date-time
             */
            occurred_at: string;
            /**
             * Outcome
             * @enum {string}
             */
            outcome: "complete" | "stopped" | "failed";
            /**
             * Provider Cost Nano
             * @description what the provider said at once that it billed
             * @default null
             */
            provider_cost_nano: number | null;
            /**
             * Provider Request Id
             * @description the provider's own id, when it keeps figures under it
             * @default null
             */
            provider_request_id: string | null;
            /**
             * Source
             * @enum {string}
             */
            source: "provider" | "partial" | "tokenizer" | "reconciled";
            usage: components["schemas"]["UsageBuckets"];
        };
        /**
         * Settlement
         * @description The one charge of a dispatch; a repeated settle returns the first.
         */
        Settlement: {
            /** Cost Nano */
            cost_nano: number;
            /** House Loss Nano */
            house_loss_nano: number;
            /** Remaining Nano */
            remaining_nano: number | null;
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
            /**
             * State
             * @default settled
             * @constant
             */
            state: "settled";
        };
        /**
         * SyncRequest
         * @description Which days are compared: today is never complete at the provider, so it is left out.
         */
        SyncRequest: {
            /**
             * Days Back
             * @description absent: OPENROUTER_USAGE_SYNC_DAYS_BACK
             */
            days_back?: number | null;
        };
        /**
         * SyncStatus
         * @description The synchronisation with OpenRouter. `waiting`: the provider asked for a pause, or an error is tried
         *     again at next_run_at.
         */
        SyncStatus: {
            /**
             * Days
             * @description days of activity that were compared, in all
             */
            days: number;
            /** Days Back */
            days_back: number;
            /** Enabled */
            enabled: boolean;
            /** Error */
            error: string | null;
            /** Finished At */
            finished_at: string | null;
            /**
             * Generations
             * @description generations whose final cost was fetched, in all
             */
            generations: number;
            /** Next Run At */
            next_run_at: string | null;
            /** Started At */
            started_at: string | null;
            /**
             * State
             * @enum {string}
             */
            state: "idle" | "requested" | "running" | "waiting";
        };
        /**
         * TopUp
         * @description A booked top-up and the wallet after it.
         */
        TopUp: {
            amount: components["schemas"]["Money"];
            /** Amount Nano */
            amount_nano: number;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            wallet: components["schemas"]["WalletBalance"];
        };
        /**
         * TopUpRequest
         * @description Credit bought outside this system and booked by hand.
         */
        TopUpRequest: {
            /**
             * Amount
             * @description USD as a decimal text, such as "10.00"; at most nine decimals
             */
            amount: string;
            /** Note */
            note?: string | null;
        };
        /**
         * UsageBuckets
         * @description Tokens in exclusive buckets: their sum is the provider's total.
         */
        UsageBuckets: {
            /**
             * Audio In Tokens
             * @default 0
             */
            audio_in_tokens: number;
            /**
             * Audio Out Tokens
             * @default 0
             */
            audio_out_tokens: number;
            /**
             * Cache Read Tokens
             * @default 0
             */
            cache_read_tokens: number;
            /**
             * Cache Write Tokens
             * @default 0
             */
            cache_write_tokens: number;
            /**
             * Input Tokens
             * @description uncached input
             * @default 0
             */
            input_tokens: number;
            /**
             * Output Tokens
             * @description visible output
             * @default 0
             */
            output_tokens: number;
            /**
             * Reasoning Tokens
             * @default 0
             */
            reasoning_tokens: number;
        };
        /**
         * UsageEvent
         * @description One dispatch to a provider. `customer_id` is the organisation, `tokens_*` are the sums of the exclusive
         *     buckets.
         */
        UsageEvent: {
            /** Audio In Tokens */
            audio_in_tokens: number;
            /** Audio Out Tokens */
            audio_out_tokens: number;
            /** Cache Read Tokens */
            cache_read_tokens: number;
            /** Cache Write Tokens */
            cache_write_tokens: number;
            cost: components["schemas"]["Money"];
            /** Cost Nano */
            cost_nano: number;
            /** Cost Usd */
            cost_usd: number;
            /**
             * Customer Id
             * Format: uuid
             */
            customer_id: string;
            /** House Loss Nano */
            house_loss_nano: number;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Input Tokens */
            input_tokens: number;
            /** Key Id */
            key_id: string | null;
            /** Latency Ms */
            latency_ms: number | null;
            /** Model */
            model: string;
            /**
             * Outcome
             * @enum {string}
             */
            outcome: "complete" | "stopped" | "failed" | "expired";
            /** Output Tokens */
            output_tokens: number;
            /**
             * Price Version
             * Format: uuid
             */
            price_version: string;
            /** Provider */
            provider: string;
            /** Reasoning Tokens */
            reasoning_tokens: number;
            /**
             * Request Id
             * Format: uuid
             */
            request_id: string;
            /**
             * Source
             * @enum {string}
             */
            source: "provider" | "partial" | "tokenizer" | "reconciled";
            /**
             * Team Id
             * Format: uuid
             */
            team_id: string;
            /**
             * Timestamp
             * Format: date-time
             */
            timestamp: string;
            /** Tokens Input */
            tokens_input: number;
            /** Tokens Output */
            tokens_output: number;
            /**
             * User Id
             * Format: uuid
             */
            user_id: string;
        };
        /**
         * UsageGroup
         * @description Sums of one group; what was not grouped by is null.
         */
        UsageGroup: {
            cost: components["schemas"]["Money"];
            /** Cost Nano */
            cost_nano: number;
            /** Day */
            day?: string | null;
            /** Input Tokens */
            input_tokens: number;
            /** Key Id */
            key_id?: string | null;
            /** Model */
            model?: string | null;
            /** Output Tokens */
            output_tokens: number;
            /** Requests */
            requests: number;
            /** User Id */
            user_id?: string | null;
        };
        /**
         * UsageReport
         * @description Sums of whole days of the asked time zone, `from` and `to` included.
         */
        UsageReport: {
            /** Data */
            data: components["schemas"]["UsageGroup"][];
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
            total: components["schemas"]["UsageTotal"];
        };
        /** UsageTotal */
        UsageTotal: {
            cost: components["schemas"]["Money"];
            /** Cost Nano */
            cost_nano: number;
            /** Input Tokens */
            input_tokens: number;
            /** Output Tokens */
            output_tokens: number;
            /** Requests */
            requests: number;
        };
        /** ValidationError */
        ValidationError: {
            /** Context */
            ctx?: Record<string, never>;
            /** Input */
            input?: unknown;
            /** Location */
            loc: (string | number)[];
            /** Message */
            msg: string;
            /** Error Type */
            type: string;
        };
        /**
         * WalletBalance
         * @description `balance_nano` = `available_nano` + `held_nano`.
         */
        WalletBalance: {
            available: components["schemas"]["Money"];
            /** Available Nano */
            available_nano: number;
            balance: components["schemas"]["Money"];
            /** Balance Nano */
            balance_nano: number;
            /** Held Nano */
            held_nano: number;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /**
             * Organisation Id
             * Format: uuid
             */
            organisation_id: string;
        };
        /**
         * WalletView
         * @description `balance_nano` = `available_nano` + `held_nano`; running requests hold the latter.
         */
        WalletView: {
            /** Available Nano */
            available_nano: number;
            balance: components["schemas"]["Money"];
            /** Balance Nano */
            balance_nano: number;
            /** Held Nano */
            held_nano: number;
            /**
             * Id
             * Format: uuid
             */
            id: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    list_audit_api_v1_billing_audit_get: {
        parameters: {
            query?: {
                /** @description rows at most */
                limit?: number;
                /** @description id of the last row already seen */
                after?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_AuditEntry_"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    list_budgets_api_v1_billing_budgets_get: {
        parameters: {
            query?: {
                scope?: ("organisation" | "team" | "user" | "key") | null;
                scope_id?: string | null;
                /** @description rows at most */
                limit?: number;
                /** @description id of the last row already seen */
                after?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Budget_"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    set_budget_api_v1_billing_budgets_put: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BudgetChange"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Budget"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    delete_budget_api_v1_billing_budgets__budget_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                budget_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    read_entitlements_api_v1_billing_entitlements_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Entitlements"];
                };
            };
        };
    };
    list_entries_api_v1_billing_ledger_entries_get: {
        parameters: {
            query?: {
                /** @description a dispatch id, `grant:<org>` or `top_up:<id>` */
                transaction_id?: string | null;
                /** @description rows at most */
                limit?: number;
                /** @description id of the last row already seen */
                after?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_LedgerEntry_"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    list_prices_api_v1_billing_prices_get: {
        parameters: {
            query?: {
                model?: string | null;
                /** @description also the versions that have ended */
                history?: boolean;
                /** @description rows at most */
                limit?: number;
                /** @description id of the last row already seen */
                after?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_Price_"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    set_price_api_v1_billing_prices_put: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PriceChange"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Price"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    read_usage_api_v1_billing_usage_get: {
        parameters: {
            query?: {
                /** @description first day; by default 30 days in all */
                from?: string | null;
                /** @description last day, included; today by default */
                to?: string | null;
                /** @description time zone whose days are meant, such as Europe/Berlin */
                tz?: string;
                /** @description some of day,model,user,key */
                group_by?: string | null;
                /** @description `organisation` needs the permission usage:read_all */
                scope?: "own" | "organisation";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UsageReport"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    list_events_api_v1_billing_usage_events_get: {
        parameters: {
            query?: {
                /** @description the dispatch id, as in x-atrium-dispatch-id */
                request_id?: string | null;
                /** @description `organisation` needs the permission usage:read_all */
                scope?: "own" | "organisation";
                /** @description rows at most */
                limit?: number;
                /** @description id of the last row already seen */
                after?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_UsageEvent_"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    list_wallets_api_v1_billing_wallets_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_WalletBalance_"];
                };
            };
        };
    };
    top_up_api_v1_billing_wallets__wallet_id__top_ups_post: {
        parameters: {
            query?: never;
            header?: {
                /** @description repeat the call safely: the first answer comes again */
                "Idempotency-Key"?: string | null;
            };
            path: {
                wallet_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TopUpRequest"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TopUp"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    sync_now_api_v1_usage_tracking_sync_openrouter_usage_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SyncRequest"] | null;
            };
        };
        responses: {
            /** @description Successful Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SyncStatus"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    sync_status_api_v1_usage_tracking_sync_status_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SyncStatus"];
                };
            };
        };
    };
    record_manually_api_v1_usage_tracking_usage_manual_record_post: {
        parameters: {
            query?: never;
            header?: {
                /** @description repeat the call safely: the first answer comes again */
                "Idempotency-Key"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ManualRecord"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RecordedExternally"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    real_time_api_v1_usage_tracking_usage_real_time__client_org_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                client_org_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RealTimeUsage"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    healthz_healthz_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: string;
                    };
                };
            };
        };
    };
    list_recorded_internal_v1_audit_get: {
        parameters: {
            query?: {
                /** @description rows at most */
                limit?: number;
                /** @description id of the last row already seen */
                after?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_AuditRecorded_"];
                };
            };
            /** @description Validation Error */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HTTPValidationError"];
                };
            };
        };
    };
    post_internal_v1_reservations: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ReserveRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reservation"];
                };
            };
        };
    };
    post_internal_v1_reservations_batch: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Batch"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchAnswers"];
                };
            };
        };
    };
    post_internal_v1_reservations_checkpoint: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CheckpointRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Checkpoint"];
                };
            };
        };
    };
    post_internal_v1_reservations_request_id_release: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ReleaseRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Release"];
                };
            };
        };
    };
    post_internal_v1_reservations_request_id_settle: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SettleRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Settlement"];
                };
            };
        };
    };
    get_internal_v1_usage_request_id: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RecordedUsage"];
                };
            };
        };
    };
    readyz_readyz_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description a dependency does not answer */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
}
