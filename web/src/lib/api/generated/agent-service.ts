/** Written by `npm run generate` from docs/openapi; edit the service, not this file. */

export interface paths {
    "/api/v1/agents": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Agents you can use: the built-in one, then the newest first */
        get: operations["list_agents_api_v1_agents_get"];
        put?: never;
        /** Make an agent */
        post: operations["create_agent_api_v1_agents_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/code/execute": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Run Python in the sandbox
         * @description No network, no files but those sent along; numpy, pandas and matplotlib are there. A client that leaves
         *     ends its run.
         */
        post: operations["execute_api_v1_agents_code_execute_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/mcp-servers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The MCP servers of your organisation and how they are doing */
        get: operations["list_servers_api_v1_agents_mcp_servers_get"];
        put?: never;
        /** Add an MCP server that is reached over HTTP */
        post: operations["create_server_api_v1_agents_mcp_servers_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/mcp-servers/{server_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One MCP server */
        get: operations["read_server_api_v1_agents_mcp_servers__server_id__get"];
        put?: never;
        post?: never;
        /** Remove an MCP server */
        delete: operations["delete_server_api_v1_agents_mcp_servers__server_id__delete"];
        options?: never;
        head?: never;
        /** Change an MCP server */
        patch: operations["patch_server_api_v1_agents_mcp_servers__server_id__patch"];
        trace?: never;
    };
    "/api/v1/agents/mcp-servers/{server_id}/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Connect now and list its tools */
        post: operations["check_server_api_v1_agents_mcp_servers__server_id__check_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who the caller is */
        get: operations["me_api_v1_agents_me_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Your runs, the newest first, without their steps */
        get: operations["list_runs_api_v1_agents_runs_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/runs/{run_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One run with its steps */
        get: operations["read_run_api_v1_agents_runs__run_id__get"];
        put?: never;
        post?: never;
        /** Delete a run with its steps, events and files; one under way is ended */
        delete: operations["delete_run_api_v1_agents_runs__run_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/runs/{run_id}/approvals/{call_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A tool call that needs a person's word, and what became of it */
        get: operations["read_call_api_v1_agents_runs__run_id__approvals__call_id__get"];
        put?: never;
        /** Allow a tool call, or not */
        post: operations["decide_api_v1_agents_runs__run_id__approvals__call_id__post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/runs/{run_id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Stop a run; what it wrote is kept */
        post: operations["cancel_run_api_v1_agents_runs__run_id__cancel_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/runs/{run_id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The events of a run, from any event id */
        get: operations["stream_events_api_v1_agents_runs__run_id__events_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/runs/{run_id}/files/{file_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A file that a tool of the run made */
        get: operations["read_file_api_v1_agents_runs__run_id__files__file_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/tools": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The tools your agents can be given, also those that do not work now, with the reason */
        get: operations["list_tools_api_v1_agents_tools_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agents/{agent_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One agent */
        get: operations["read_agent_api_v1_agents__agent_id__get"];
        put?: never;
        post?: never;
        /** Delete an agent of yours; its runs stay */
        delete: operations["delete_agent_api_v1_agents__agent_id__delete"];
        options?: never;
        head?: never;
        /** Change an agent of yours */
        patch: operations["patch_agent_api_v1_agents__agent_id__patch"];
        trace?: never;
    };
    "/api/v1/agents/{agent_id}/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Let an agent work */
        post: operations["start_run_api_v1_agents__agent_id__runs_post"];
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
    "/internal/v1/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Chat begins a run under the id of a reply; safe to repeat */
        post: operations["start_run_of_chat_internal_v1_runs_post"];
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
         * Agent
         * @description One agent. A built-in one belongs to nobody and cannot be changed.
         */
        Agent: {
            /**
             * Access
             * @default private
             * @enum {string}
             */
            access: "private" | "organisation";
            /**
             * Built In
             * @default false
             */
            built_in: boolean;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /**
             * Description
             * @default
             */
            description: string;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /**
             * Instructions
             * @default
             */
            instructions: string;
            /** Knowledge Base Ids */
            knowledge_base_ids?: string[];
            limits?: components["schemas"]["RunLimits"];
            /**
             * Model
             * @description null: the model of the chat or run
             */
            model?: string | null;
            /** Name */
            name: string;
            /** Tools */
            tools?: components["schemas"]["ToolChoice"][];
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
            /** Writable */
            writable: boolean;
        };
        /**
         * AgentFields
         * @description What a person decides about an agent.
         */
        AgentFields: {
            /**
             * Access
             * @default private
             * @enum {string}
             */
            access: "private" | "organisation";
            /**
             * Description
             * @default
             */
            description: string;
            /**
             * Instructions
             * @default
             */
            instructions: string;
            /** Knowledge Base Ids */
            knowledge_base_ids?: string[];
            limits?: components["schemas"]["RunLimits"];
            /**
             * Model
             * @description null: the model of the chat or run
             */
            model?: string | null;
            /** Name */
            name: string;
            /** Tools */
            tools?: components["schemas"]["ToolChoice"][];
        };
        /**
         * AgentPatch
         * @description Body of PATCH /api/v1/agents/{id}: only what is present changes; `model` alone may be null.
         */
        AgentPatch: {
            /**
             * Access
             * @default private
             * @enum {string}
             */
            access: "private" | "organisation";
            /**
             * Description
             * @default
             */
            description: string;
            /**
             * Instructions
             * @default
             */
            instructions: string;
            /** Knowledge Base Ids */
            knowledge_base_ids?: string[];
            limits?: components["schemas"]["RunLimits"];
            /** Model */
            model?: string | null;
            /**
             * Name
             * @default
             */
            name: string;
            /** Tools */
            tools?: components["schemas"]["ToolChoice"][];
        };
        /**
         * ApprovalDecision
         * @description Body of POST /api/v1/agents/runs/{id}/approvals/{call_id}.
         */
        ApprovalDecision: {
            /**
             * Decision
             * @enum {string}
             */
            decision: "approve" | "deny";
        };
        /**
         * CallerView
         * @description The caller this service verified.
         */
        CallerView: {
            /**
             * Organisation Id
             * Format: uuid
             */
            organisation_id: string;
            /** Permissions */
            permissions: components["schemas"]["Permission"][];
            role: components["schemas"]["Role"];
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
         * Citation
         * @description A passage the model was given; `n` is the number it is cited by, as in [1].
         */
        Citation: {
            /**
             * Chunk Id
             * Format: uuid
             */
            chunk_id: string;
            /**
             * File Id
             * Format: uuid
             */
            file_id: string;
            /** Filename */
            filename: string;
            /** Heading */
            heading?: string | null;
            /** N */
            n: number;
            /**
             * Page
             * @description first page of the passage, from 1
             */
            page?: number | null;
            /** Score */
            score: number;
            /** Text */
            text: string;
        };
        /**
         * CitationEvent
         * @description A passage that was handed to the model.
         */
        CitationEvent: {
            data: components["schemas"]["Citation"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "citation";
            /**
             * Id
             * @description the SSE id: 1, 2, 3 ... within a run, each stored before it is shown, never changed
             */
            id: number;
        };
        /**
         * CodeFile
         * @description A file beside the code, by its plain name; content as base64.
         */
        CodeFile: {
            /** Content Base64 */
            content_base64: string;
            /** Content Type */
            content_type?: string | null;
            /** Name */
            name: string;
        };
        /**
         * CodeRequest
         * @description Body of POST /api/v1/agents/code/execute.
         */
        CodeRequest: {
            /** Code */
            code: string;
            /** Files */
            files?: components["schemas"]["CodeFile"][];
            /**
             * Language
             * @default python
             * @constant
             */
            language: "python";
            /** Timeout S */
            timeout_s?: number | null;
        };
        /**
         * CodeResult
         * @description What a run of code gave. `result` is the repr of a last bare expression; `files` are those it wrote,
         *     plots among them.
         */
        CodeResult: {
            /** Duration Ms */
            duration_ms: number;
            /** Files */
            files?: components["schemas"]["CodeFile"][];
            /** Result */
            result?: string | null;
            /**
             * Status
             * @enum {string}
             */
            status: "ok" | "error" | "timeout" | "memory_exceeded" | "output_exceeded" | "killed";
            /** Stderr */
            stderr: string;
            /** Stdout */
            stdout: string;
            /**
             * Truncated
             * @description output or files were cut at their limits
             * @default false
             */
            truncated: boolean;
        };
        /**
         * DeltaEvent
         * @description Text of the answer.
         */
        DeltaEvent: {
            data: components["schemas"]["TextEventData"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "delta";
            /**
             * Id
             * @description the SSE id: 1, 2, 3 ... within a run, each stored before it is shown, never changed
             */
            id: number;
        };
        /**
         * DoneEvent
         * @description Last event of a run.
         */
        DoneEvent: {
            data: components["schemas"]["DoneEventData"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "done";
            /**
             * Id
             * @description the SSE id: 1, 2, 3 ... within a run, each stored before it is shown, never changed
             */
            id: number;
        };
        /**
         * DoneEventData
         * @description How the turn ended.
         */
        DoneEventData: {
            /**
             * Finish Reason
             * @description as Message.finish_reason
             */
            finish_reason?: string | null;
            /**
             * Status
             * @enum {string}
             */
            status: "complete" | "stopped" | "interrupted" | "failed";
        };
        /**
         * ErrorEvent
         * @description The run failed; `done` follows.
         */
        ErrorEvent: {
            data: components["schemas"]["ErrorEventData"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "error";
            /**
             * Id
             * @description the SSE id: 1, 2, 3 ... within a run, each stored before it is shown, never changed
             */
            id: number;
        };
        /**
         * ErrorEventData
         * @description A problem after the stream began; further members are those of the problem (limit, resets_at, action
         *     ...).
         */
        ErrorEventData: {
            /** Code */
            code: string;
            /** Detail */
            detail: string;
            /** Status */
            status?: number | null;
        } & {
            [key: string]: unknown;
        };
        /** HTTPValidationError */
        HTTPValidationError: {
            /** Detail */
            detail?: components["schemas"]["ValidationError"][];
        };
        /**
         * InputMessage
         * @description One message of what came before.
         */
        InputMessage: {
            /** Content */
            content: string;
            /**
             * Role
             * @enum {string}
             */
            role: "user" | "assistant";
        };
        /**
         * InternalRunCreate
         * @description Body of POST /internal/v1/runs: chat begins a run under the id of the reply it writes. Safe
         *     to repeat.
         */
        InternalRunCreate: {
            /**
             * Agent Id
             * Format: uuid
             */
            agent_id: string;
            /** File Ids */
            file_ids?: string[];
            /** Input */
            input: string | components["schemas"]["InputMessage"][];
            /** Knowledge Base Ids */
            knowledge_base_ids?: string[];
            /** @description at most those of the agent */
            limits?: components["schemas"]["RunLimits"] | null;
            /** Model */
            model?: string | null;
            /**
             * Run Id
             * Format: uuid
             */
            run_id: string;
            /** Temperature */
            temperature?: number | null;
        };
        /**
         * LeftOutEvent
         * @description What the model does not see of the conversation; comes before the text, and only when something was
         *     left out.
         */
        LeftOutEvent: {
            data: components["schemas"]["LeftOutEventData"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "left_out";
            /**
             * Id
             * @description the SSE id: 1, 2, 3 ... within a run, each stored before it is shown, never changed
             */
            id: number;
        };
        /**
         * LeftOutEventData
         * @description What of the chat and of the passages found did not fit what the model can read.
         */
        LeftOutEventData: {
            /**
             * Messages
             * @description older messages of the branch that the model did not see
             */
            messages: number;
            /**
             * Passages
             * @description passages that were found and did not fit
             */
            passages: number;
            /**
             * Window Tokens
             * @description what the model can read and write in all, or the installation's cap below that
             */
            window_tokens: number;
        };
        /**
         * LoadProgress
         * @description How far the built-in model's download is.
         */
        LoadProgress: {
            /** Downloaded Bytes */
            downloaded_bytes?: number | null;
            /** Eta S */
            eta_s?: number | null;
            /** Total Bytes */
            total_bytes?: number | null;
        };
        /**
         * McpAccess
         * @description Who may use the server's tools beside administrators, who always may. Empty: nobody else.
         */
        McpAccess: {
            /**
             * Roles
             * @description everybody with one of these roles
             */
            roles?: components["schemas"]["Role"][];
            /**
             * Team Ids
             * @description every member of one of these teams
             */
            team_ids?: string[];
            /**
             * User Ids
             * @description these people
             */
            user_ids?: string[];
        };
        /**
         * McpCheck
         * @description What POST /api/v1/agents/mcp-servers/{id}/check found, just now.
         */
        McpCheck: {
            /** Error */
            error: string | null;
            /** Latency Ms */
            latency_ms: number | null;
            /** Ok */
            ok: boolean;
            /** Tools */
            tools: components["schemas"]["Tool"][];
        };
        /**
         * McpServer
         * @description One server. Values of headers are never shown.
         */
        McpServer: {
            access: components["schemas"]["McpAccess"];
            /**
             * Approval
             * @description which calls the person of a run must agree to, whatever the agent says: `unless_read_only` all but those of tools that call themselves read-only; a tool that calls itself destructive asks always
             * @enum {string}
             */
            approval: "never" | "unless_read_only" | "always";
            /** Call Timeout S */
            call_timeout_s: number;
            /** Command */
            command: string | null;
            /** Connect Timeout S */
            connect_timeout_s: number;
            /** Created At */
            created_at: string | null;
            /** Enabled */
            enabled: boolean;
            /** Header Names */
            header_names: string[];
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Name */
            name: string;
            /**
             * Source
             * @enum {string}
             */
            source: "file" | "api";
            status: components["schemas"]["McpServerStatus"];
            /** Tools */
            tools: string[] | null;
            /**
             * Transport
             * @enum {string}
             */
            transport: "stdio" | "streamable_http";
            /** Updated At */
            updated_at: string | null;
            /** Url */
            url: string | null;
        };
        /**
         * McpServerCreate
         * @description Body of POST /api/v1/agents/mcp-servers.
         */
        McpServerCreate: {
            access?: components["schemas"]["McpAccess"];
            /**
             * Approval
             * @description which calls the person of a run must agree to, whatever the agent says: `unless_read_only` all but those of tools that call themselves read-only; a tool that calls itself destructive asks always
             * @default unless_read_only
             * @enum {string}
             */
            approval: "never" | "unless_read_only" | "always";
            /**
             * Call Timeout S
             * @description seconds one call may take
             * @default 60
             */
            call_timeout_s: number;
            /**
             * Connect Timeout S
             * @description seconds until it must have answered the greeting
             * @default 15
             */
            connect_timeout_s: number;
            /**
             * Enabled
             * @default true
             */
            enabled: boolean;
            /**
             * Headers
             * @description sent with each request, such as Authorization; stored encrypted, never shown again
             */
            headers?: {
                [key: string]: string;
            };
            /**
             * Name
             * @description a-z, 0-9, - and _; its tools are called <name>__<tool>
             */
            name: string;
            /** Tools */
            tools?: string[] | null;
            /**
             * Url
             * @description address of the server's streamable HTTP endpoint
             */
            url: string;
        };
        /**
         * McpServerPatch
         * @description Body of PATCH: what is given changes. `headers` replaces all of them.
         */
        McpServerPatch: {
            /** @description replaces who may use it as a whole */
            access?: components["schemas"]["McpAccess"] | null;
            /** Approval */
            approval?: ("never" | "unless_read_only" | "always") | null;
            /** Call Timeout S */
            call_timeout_s?: number | null;
            /** Connect Timeout S */
            connect_timeout_s?: number | null;
            /** Enabled */
            enabled?: boolean | null;
            /** Headers */
            headers?: {
                [key: string]: string;
            } | null;
            /** Tools */
            tools?: string[] | null;
            /** Url */
            url?: string | null;
        };
        /**
         * McpServerStatus
         * @description How the server is doing, as far as this process knows.
         */
        McpServerStatus: {
            /** Calls */
            calls: number;
            /** Checked At */
            checked_at: string | null;
            /** Connected */
            connected: boolean;
            /**
             * Error
             * @description what went wrong last, in plain words
             */
            error: string | null;
            /** Failures */
            failures: number;
            /**
             * Latency Ms
             * @description of the last check: connecting where needed, and listing the tools
             */
            latency_ms: number | null;
            /**
             * State
             * @enum {string}
             */
            state: "ok" | "failing" | "unchecked" | "disabled";
            /** Tool Count */
            tool_count: number | null;
        };
        /**
         * MessageError
         * @description Why a reply failed, in the words of the service that refused; `extra` carries its further members.
         */
        MessageError: {
            /** Code */
            code: string;
            /** Detail */
            detail: string;
            /** Extra */
            extra?: {
                [key: string]: unknown;
            };
            /** Status */
            status?: number | null;
        };
        /**
         * MessageUsage
         * @description What a reply took, over all its turns. Null: not known yet.
         */
        MessageUsage: {
            /** Completion Tokens */
            completion_tokens?: number | null;
            /**
             * Cost Nano
             * @description nano-USD
             */
            cost_nano?: number | null;
            /** Prompt Tokens */
            prompt_tokens?: number | null;
            /**
             * Remaining Nano
             * @description nano-USD left to the payer after this reply; null when billing is away
             */
            remaining_nano?: number | null;
        };
        /** Page[Agent] */
        Page_Agent_: {
            /** Data */
            data: components["schemas"]["Agent"][];
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
        /** Page[McpServer] */
        Page_McpServer_: {
            /** Data */
            data: components["schemas"]["McpServer"][];
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
        /** Page[Run] */
        Page_Run_: {
            /** Data */
            data: components["schemas"]["Run"][];
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
        /** Page[Tool] */
        Page_Tool_: {
            /** Data */
            data: components["schemas"]["Tool"][];
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
         * Permission
         * @description Every permission by name; a route names exactly one.
         * @enum {string}
         */
        Permission: "me:read" | "me:write" | "keys:manage" | "chats:read" | "chats:write" | "files:read" | "files:write" | "agents:read" | "agents:write" | "agents:run" | "code:execute" | "tools:manage" | "models:use" | "models:read" | "usage:read" | "usage:read_all" | "prices:read" | "prices:write" | "wallets:read" | "wallets:write" | "budgets:read" | "budgets:write" | "ledger:read" | "users:read" | "users:write" | "audit:read" | "status:read";
        /**
         * ReasoningEvent
         * @description Text of the model's reasoning.
         */
        ReasoningEvent: {
            data: components["schemas"]["TextEventData"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "reasoning";
            /**
             * Id
             * @description the SSE id: 1, 2, 3 ... within a run, each stored before it is shown, never changed
             */
            id: number;
        };
        /**
         * Role
         * @description Roles are permission sets, not a ladder.
         * @enum {string}
         */
        Role: "admin" | "admin-readonly" | "finance" | "org-admin" | "team-admin" | "user" | "pending";
        /**
         * Run
         * @description One run. `usage` is the sum of its steps.
         */
        Run: {
            /**
             * Agent Id
             * Format: uuid
             */
            agent_id: string;
            /** Agent Name */
            agent_name: string;
            /** Citations */
            citations?: components["schemas"]["Citation"][];
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Ended At */
            ended_at?: string | null;
            error?: components["schemas"]["MessageError"] | null;
            /**
             * Finish Reason
             * @description why the last answer ended, in the provider's word: `stop`, `length`, `content_filter`, `refusal` (the output is the refusal), `reasoning_only` (it thought and wrote nothing); `account_suspended`, `key_revoked` and the like when its person may no longer run anything; null while it is not known
             */
            finish_reason?: string | null;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Input */
            input: string;
            /** Last Event Id */
            last_event_id: number;
            /** @description what the model did not see; null when it saw all */
            left_out?: components["schemas"]["LeftOutEventData"] | null;
            /** Model */
            model: string;
            /** Output */
            output: string;
            /**
             * Reasoning
             * @description what the models of its steps thought; empty in lists
             * @default
             */
            reasoning: string;
            /**
             * Status
             * @enum {string}
             */
            status: "queued" | "running" | "awaiting_approval" | "complete" | "stopped" | "failed";
            /**
             * Steps
             * @description empty in lists
             */
            steps?: components["schemas"]["RunStep"][];
            usage?: components["schemas"]["MessageUsage"] | null;
        };
        /**
         * RunCreate
         * @description Body of POST /api/v1/agents/{id}/runs: a text, or messages that end with one of the user.
         */
        RunCreate: {
            /** File Ids */
            file_ids?: string[];
            /** Input */
            input: string | components["schemas"]["InputMessage"][];
            /** Knowledge Base Ids */
            knowledge_base_ids?: string[];
            /** @description at most those of the agent */
            limits?: components["schemas"]["RunLimits"] | null;
            /** Model */
            model?: string | null;
            /** Temperature */
            temperature?: number | null;
        };
        /**
         * RunEvent
         * @description One server-sent event of a run: `event:`, `id:` and `data:` (JSON of `data`).
         */
        RunEvent: components["schemas"]["StepEvent"] | components["schemas"]["ToolEvent"] | components["schemas"]["CitationEvent"] | components["schemas"]["DeltaEvent"] | components["schemas"]["ReasoningEvent"] | components["schemas"]["WaitingEvent"] | components["schemas"]["LeftOutEvent"] | components["schemas"]["UsageEvent"] | components["schemas"]["ErrorEvent"] | components["schemas"]["DoneEvent"];
        /**
         * RunFile
         * @description A file a tool made; `url` is a path of the gateway that needs the reader's token.
         */
        RunFile: {
            /** Content Type */
            content_type: string;
            /**
             * File Id
             * Format: uuid
             */
            file_id: string;
            /** Name */
            name: string;
            /** Size Bytes */
            size_bytes: number;
            /** Url */
            url: string;
        };
        /**
         * RunLimits
         * @description What one run may take at most.
         */
        RunLimits: {
            /**
             * Cost Nano Max
             * @description nano-USD; null: only the budgets of billing
             */
            cost_nano_max?: number | null;
            /**
             * Duration S Max
             * @default 600
             */
            duration_s_max: number;
            /**
             * Steps Max
             * @default 10
             */
            steps_max: number;
            /**
             * Tokens Max
             * @description prompt and completion tokens of all steps
             * @default 100000
             */
            tokens_max: number;
        };
        /**
         * RunStep
         * @description One recorded step of a run.
         */
        RunStep: {
            /** Arguments */
            arguments?: {
                [key: string]: unknown;
            } | null;
            /** Attempt */
            attempt: number;
            /** Call Id */
            call_id?: string | null;
            /**
             * Dispatch Id
             * @description under which billing knows a model step
             */
            dispatch_id?: string | null;
            /** Duration Ms */
            duration_ms?: number | null;
            /** Files */
            files?: components["schemas"]["RunFile"][];
            /**
             * Kind
             * @enum {string}
             */
            kind: "model" | "tool";
            /** Name */
            name: string;
            /** Result */
            result?: string | null;
            /**
             * Started At
             * Format: date-time
             */
            started_at: string;
            /**
             * Status
             * @enum {string}
             */
            status: "running" | "awaiting_approval" | "done" | "failed" | "denied" | "cut";
            /** Step */
            step: number;
            usage?: components["schemas"]["MessageUsage"] | null;
        };
        /**
         * StepEvent
         * @description A step begins.
         */
        StepEvent: {
            data: components["schemas"]["StepEventData"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "step";
            /**
             * Id
             * @description the SSE id: 1, 2, 3 ... within a run, each stored before it is shown, never changed
             */
            id: number;
        };
        /**
         * StepEventData
         * @description A step begins. `attempt` above 1: the step was cut and runs again, so the text of its earlier attempt
         *     is void.
         */
        StepEventData: {
            /**
             * Attempt
             * @default 1
             */
            attempt: number;
            /**
             * Kind
             * @enum {string}
             */
            kind: "model" | "tool" | "retrieval";
            /** Step */
            step: number;
            /**
             * Title
             * @description what is done, for people
             */
            title: string;
        };
        /**
         * TextEventData
         * @description Text to append.
         */
        TextEventData: {
            /** Text */
            text: string;
        };
        /**
         * Tool
         * @description A tool agents can be given. `source`: `built-in`, or the name of its MCP server.
         */
        Tool: {
            /**
             * Available
             * @default true
             */
            available: boolean;
            /** Description */
            description: string;
            /** Name */
            name: string;
            /**
             * Parameters
             * @description JSON Schema of the arguments
             */
            parameters: {
                [key: string]: unknown;
            };
            /** Source */
            source: string;
            /** Title */
            title: string;
            /** Unavailable Reason */
            unavailable_reason?: string | null;
        };
        /**
         * ToolChoice
         * @description A tool an agent may call; `approval` says whether a person must agree to each call.
         */
        ToolChoice: {
            /**
             * Approval
             * @default never
             * @enum {string}
             */
            approval: "never" | "always";
            /** Name */
            name: string;
        };
        /**
         * ToolEvent
         * @description A tool call and how far it is.
         */
        ToolEvent: {
            data: components["schemas"]["ToolEventData"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "tool";
            /**
             * Id
             * @description the SSE id: 1, 2, 3 ... within a run, each stored before it is shown, never changed
             */
            id: number;
        };
        /**
         * ToolEventData
         * @description A tool call and how far it is; the same `call_id` comes again with each change.
         */
        ToolEventData: {
            /** Arguments */
            arguments?: {
                [key: string]: unknown;
            };
            /** Call Id */
            call_id: string;
            /** Duration Ms */
            duration_ms?: number | null;
            /** Files */
            files?: components["schemas"]["RunFile"][];
            /** Name */
            name: string;
            /**
             * Result
             * @description what the model gets to read
             */
            result?: string | null;
            /**
             * Status
             * @enum {string}
             */
            status: "awaiting_approval" | "running" | "done" | "failed" | "denied";
            /** Step */
            step: number;
            /** Title */
            title: string;
        };
        /**
         * UsageEvent
         * @description What the run took, over all steps.
         */
        UsageEvent: {
            data: components["schemas"]["MessageUsage"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "usage";
            /**
             * Id
             * @description the SSE id: 1, 2, 3 ... within a run, each stored before it is shown, never changed
             */
            id: number;
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
         * WaitingEvent
         * @description The model loads or is busy.
         */
        WaitingEvent: {
            data: components["schemas"]["WaitingEventData"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "waiting";
            /**
             * Id
             * @description the SSE id: 1, 2, 3 ... within a run, each stored before it is shown, never changed
             */
            id: number;
        };
        /**
         * WaitingEventData
         * @description The reply cannot be written yet; the turn continues by itself. `service_away`: a service restarts,
         *     nothing was dispatched yet.
         *     `agents_busy`: as many agents are at work as may be.
         */
        WaitingEventData: {
            progress?: components["schemas"]["LoadProgress"] | null;
            /**
             * Reason
             * @enum {string}
             */
            reason: "model_loading" | "model_busy" | "service_away" | "agents_busy";
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
    list_agents_api_v1_agents_get: {
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
                    "application/json": components["schemas"]["Page_Agent_"];
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
    create_agent_api_v1_agents_post: {
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
                "application/json": components["schemas"]["AgentFields"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Agent"];
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
    execute_api_v1_agents_code_execute_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CodeRequest"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CodeResult"];
                };
            };
            /** @description the files are too large */
            413: {
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
            /** @description too many runs wait already */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description there is no sandbox here; `detail` says why */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    list_servers_api_v1_agents_mcp_servers_get: {
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
                    "application/json": components["schemas"]["Page_McpServer_"];
                };
            };
        };
    };
    create_server_api_v1_agents_mcp_servers_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["McpServerCreate"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["McpServer"];
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
    read_server_api_v1_agents_mcp_servers__server_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                server_id: string;
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
                    "application/json": components["schemas"]["McpServer"];
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
    delete_server_api_v1_agents_mcp_servers__server_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                server_id: string;
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
    patch_server_api_v1_agents_mcp_servers__server_id__patch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                server_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["McpServerPatch"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["McpServer"];
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
    check_server_api_v1_agents_mcp_servers__server_id__check_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                server_id: string;
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
                    "application/json": components["schemas"]["McpCheck"];
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
    me_api_v1_agents_me_get: {
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
                    "application/json": components["schemas"]["CallerView"];
                };
            };
        };
    };
    list_runs_api_v1_agents_runs_get: {
        parameters: {
            query?: {
                /** @description rows at most */
                limit?: number;
                /** @description id of the last row already seen */
                after?: string | null;
                /** @description only runs of this agent */
                agent_id?: string | null;
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
                    "application/json": components["schemas"]["Page_Run_"];
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
    read_run_api_v1_agents_runs__run_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                run_id: string;
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
                    "application/json": components["schemas"]["Run"];
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
    delete_run_api_v1_agents_runs__run_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                run_id: string;
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
    read_call_api_v1_agents_runs__run_id__approvals__call_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                run_id: string;
                call_id: string;
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
                    "application/json": components["schemas"]["RunStep"];
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
    decide_api_v1_agents_runs__run_id__approvals__call_id__post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                run_id: string;
                call_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ApprovalDecision"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunStep"];
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
    cancel_run_api_v1_agents_runs__run_id__cancel_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                run_id: string;
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
                    "application/json": components["schemas"]["Run"];
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
    stream_events_api_v1_agents_runs__run_id__events_get: {
        parameters: {
            query?: {
                /** @description id of the last event already seen; Last-Event-ID says the same */
                after?: number | null;
            };
            header?: {
                "Last-Event-ID"?: string | null;
            };
            path: {
                run_id: string;
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
                    "text/event-stream": components["schemas"]["RunEvent"];
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
    read_file_api_v1_agents_runs__run_id__files__file_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                run_id: string;
                file_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the file */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
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
    list_tools_api_v1_agents_tools_get: {
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
                    "application/json": components["schemas"]["Page_Tool_"];
                };
            };
        };
    };
    read_agent_api_v1_agents__agent_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                agent_id: string;
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
                    "application/json": components["schemas"]["Agent"];
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
    delete_agent_api_v1_agents__agent_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                agent_id: string;
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
    patch_agent_api_v1_agents__agent_id__patch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                agent_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AgentPatch"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Agent"];
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
    start_run_api_v1_agents__agent_id__runs_post: {
        parameters: {
            query?: never;
            header?: {
                /** @description repeat the call safely: the first answer comes again */
                "Idempotency-Key"?: string | null;
            };
            path: {
                agent_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RunCreate"];
            };
        };
        responses: {
            /** @description the finished run, or with `Accept: text/event-stream` its events */
            200: {
                headers: {
                    /** @description id of the run */
                    "x-atrium-run-id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                    "text/event-stream": components["schemas"]["RunEvent"];
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
    start_run_of_chat_internal_v1_runs_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["InternalRunCreate"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
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
