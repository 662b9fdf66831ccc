/** Written by `npm run generate` from docs/openapi; edit the service, not this file. */

export interface paths {
    "/api/v1/chats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Your chats, latest activity first */
        get: operations["list_chats_api_v1_chats_get"];
        put?: never;
        /** Make a chat */
        post: operations["create_chat_api_v1_chats_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/chats/{chat_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One chat */
        get: operations["read_chat_api_v1_chats__chat_id__get"];
        put?: never;
        post?: never;
        /** Delete a chat with its messages */
        delete: operations["delete_chat_api_v1_chats__chat_id__delete"];
        options?: never;
        head?: never;
        /** Rename, archive, choose the model, the knowledge, the agent or the branch */
        patch: operations["patch_chat_api_v1_chats__chat_id__patch"];
        trace?: never;
    };
    "/api/v1/chats/{chat_id}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The active branch, root first: its last messages, or those above `before` */
        get: operations["read_branch_api_v1_chats__chat_id__messages_get"];
        put?: never;
        /** Send a message and get its reply */
        post: operations["post_message_api_v1_chats__chat_id__messages_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/chats/{chat_id}/messages/{message_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One message */
        get: operations["read_message_api_v1_chats__chat_id__messages__message_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/chats/{chat_id}/messages/{message_id}/continue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Continue a reply that was cut off */
        post: operations["go_on_api_v1_chats__chat_id__messages__message_id__continue_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/chats/{chat_id}/messages/{message_id}/regenerate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Another reply to the same message */
        post: operations["regenerate_api_v1_chats__chat_id__messages__message_id__regenerate_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/chats/{chat_id}/messages/{message_id}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Stop a reply; what it wrote is kept */
        post: operations["stop_api_v1_chats__chat_id__messages__message_id__stop_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/chats/{chat_id}/messages/{message_id}/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The events of a reply, from any event id */
        get: operations["stream_api_v1_chats__chat_id__messages__message_id__stream_get"];
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
         * Attachment
         * @description A file that was sent with a message.
         */
        Attachment: {
            /** Content Type */
            content_type: string;
            /**
             * File Id
             * Format: uuid
             */
            file_id: string;
            /** Filename */
            filename: string;
            /** Size Bytes */
            size_bytes: number;
        };
        /**
         * Chat
         * @description One chat; `current_message_id` is the leaf of the branch that is shown.
         */
        Chat: {
            /** Agent Id */
            agent_id?: string | null;
            /** Archived */
            archived: boolean;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Current Message Id */
            current_message_id: string | null;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Knowledge Base Ids */
            knowledge_base_ids?: string[];
            /** Model */
            model: string | null;
            /** Title */
            title: string;
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
        };
        /**
         * ChatCreate
         * @description Body of POST /api/v1/chats. Without a title the first words of the first message become one.
         */
        ChatCreate: {
            /** Agent Id */
            agent_id?: string | null;
            /** Knowledge Base Ids */
            knowledge_base_ids?: string[];
            /** Model */
            model?: string | null;
            /** Title */
            title?: string | null;
        };
        /**
         * ChatEvent
         * @description One server-sent event of a reply: `event:`, `id:` and `data:` (JSON of `data`).
         */
        ChatEvent: components["schemas"]["MessageEvent"] | components["schemas"]["WaitingEvent"] | components["schemas"]["StepEvent"] | components["schemas"]["ToolEvent"] | components["schemas"]["CitationEvent"] | components["schemas"]["LeftOutEvent"] | components["schemas"]["DeltaEvent"] | components["schemas"]["ReasoningEvent"] | components["schemas"]["UsageEvent"] | components["schemas"]["DoneEvent"] | components["schemas"]["ErrorEvent"] | components["schemas"]["ResetEvent"];
        /**
         * ChatPatch
         * @description Body of PATCH /api/v1/chats/{id}: only what is present changes.
         */
        ChatPatch: {
            /**
             * Agent Id
             * @description who writes replies from now on; null: the bare model
             */
            agent_id?: string | null;
            /** Archived */
            archived?: boolean | null;
            /**
             * Current Message Id
             * @description any message of the chat: its newest leaf becomes current
             */
            current_message_id?: string | null;
            /**
             * Knowledge Base Ids
             * @description what replies are to be looked up in
             */
            knowledge_base_ids?: string[] | null;
            /** Model */
            model?: string | null;
            /** Title */
            title?: string | null;
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
             * @description the SSE id; increases within a reply, a replay may skip ids
             */
            id: number;
        };
        /**
         * DeltaEvent
         * @description Text of the reply.
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
             * @description the SSE id; increases within a reply, a replay may skip ids
             */
            id: number;
        };
        /**
         * DoneEvent
         * @description Last event of a turn.
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
             * @description the SSE id; increases within a reply, a replay may skip ids
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
         * @description The turn failed; `done` follows.
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
             * @description the SSE id; increases within a reply, a replay may skip ids
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
         * LeftOutEvent
         * @description What the model does not see; comes before the text, and only when something was left out.
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
             * @description the SSE id; increases within a reply, a replay may skip ids
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
         * Message
         * @description One message. While `status` is `streaming`, `content` is what was there before the running turn; its
         *     stream has the rest.
         */
        Message: {
            /**
             * Agent Id
             * @description the agent that wrote the reply; its run has the id of this message
             */
            agent_id?: string | null;
            /** Attachments */
            attachments?: components["schemas"]["Attachment"][];
            /**
             * Chat Id
             * Format: uuid
             */
            chat_id: string;
            /** Citations */
            citations?: components["schemas"]["Citation"][];
            /** Content */
            content: string;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            error?: components["schemas"]["MessageError"] | null;
            /**
             * Finish Reason
             * @description why the reply ended, in the provider's word: `stop`, `length` (it can be continued), `content_filter`, `refusal` (the content is the refusal), `reasoning_only` (it thought and wrote nothing), `account_suspended`, `key_revoked`; null while it is not known
             */
            finish_reason?: string | null;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** @description what the model did not see; null when it saw all */
            left_out?: components["schemas"]["LeftOutEventData"] | null;
            /** Model */
            model: string | null;
            /** Parent Id */
            parent_id: string | null;
            /**
             * Reasoning
             * @description what the model thought before it wrote, cut at the installation's bound
             * @default
             */
            reasoning: string;
            /**
             * Role
             * @enum {string}
             */
            role: "user" | "assistant";
            /**
             * Sibling Ids
             * @description the messages with the same parent, this one included, oldest first
             */
            sibling_ids: string[];
            /**
             * Status
             * @enum {string}
             */
            status: "streaming" | "complete" | "stopped" | "interrupted" | "failed";
            /**
             * Steps
             * @description what was done for the reply, in order; tool calls as they ended
             */
            steps?: (components["schemas"]["StepEventData"] | components["schemas"]["ToolEventData"])[];
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
            usage?: components["schemas"]["MessageUsage"] | null;
        };
        /**
         * MessageCreate
         * @description Body of POST /api/v1/chats/{id}/messages. To edit a message, post with the parent_id of the
         *     edited one.
         */
        MessageCreate: {
            /**
             * Attachments
             * @description ids of own files
             */
            attachments?: string[];
            /** Content */
            content: string;
            /** Max Tokens */
            max_tokens?: number | null;
            /** Model */
            model?: string | null;
            /**
             * Parent Id
             * @description reply this follows; absent: the current leaf; null: a new first message
             */
            parent_id?: string | null;
            /** Temperature */
            temperature?: number | null;
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
         * MessageEvent
         * @description First event of a turn.
         */
        MessageEvent: {
            data: components["schemas"]["MessageEventData"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "message";
            /**
             * Id
             * @description the SSE id; increases within a reply, a replay may skip ids
             */
            id: number;
        };
        /**
         * MessageEventData
         * @description The stored user message and the id of the reply that follows.
         */
        MessageEventData: {
            message: components["schemas"]["Message"];
            /**
             * Reply Id
             * Format: uuid
             */
            reply_id: string;
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
        /** Page[Chat] */
        Page_Chat_: {
            /** Data */
            data: components["schemas"]["Chat"][];
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
        /** Page[Message] */
        Page_Message_: {
            /** Data */
            data: components["schemas"]["Message"][];
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
         * ReasoningEvent
         * @description Text of the model's reasoning; stored with the reply.
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
             * @description the SSE id; increases within a reply, a replay may skip ids
             */
            id: number;
        };
        /**
         * ReplyOptions
         * @description Body of regenerate and continue; absent members keep what the chat has.
         */
        ReplyOptions: {
            /** Max Tokens */
            max_tokens?: number | null;
            /** Model */
            model?: string | null;
            /** Temperature */
            temperature?: number | null;
        };
        /**
         * ResetEvent
         * @description The id the reader sent is not in the journal: start again from this text.
         */
        ResetEvent: {
            data: components["schemas"]["ResetEventData"];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "reset";
            /**
             * Id
             * @description the SSE id; increases within a reply, a replay may skip ids
             */
            id: number;
        };
        /**
         * ResetEventData
         * @description The text so far: it replaces all the reader has of the reply. Steps, citations, reasoning and what was
         *     left out follow as events.
         */
        ResetEventData: {
            /** Text */
            text: string;
        };
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
         * StepEvent
         * @description A step of the reply begins: a look-up, a model step or a tool call of an agent.
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
             * @description the SSE id; increases within a reply, a replay may skip ids
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
             * @description the SSE id; increases within a reply, a replay may skip ids
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
         * @description What the reply took; comes before `done` when it is known.
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
             * @description the SSE id; increases within a reply, a replay may skip ids
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
         * @description The model loads or is busy, or a service is away for a moment.
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
             * @description the SSE id; increases within a reply, a replay may skip ids
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
    list_chats_api_v1_chats_get: {
        parameters: {
            query?: {
                /** @description rows at most */
                limit?: number;
                /** @description id of the last row already seen */
                after?: string | null;
                /** @description the archive instead of the list */
                archived?: boolean;
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
                    "application/json": components["schemas"]["Page_Chat_"];
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
    create_chat_api_v1_chats_post: {
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
                "application/json": components["schemas"]["ChatCreate"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Chat"];
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
    read_chat_api_v1_chats__chat_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                chat_id: string;
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
                    "application/json": components["schemas"]["Chat"];
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
    delete_chat_api_v1_chats__chat_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                chat_id: string;
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
    patch_chat_api_v1_chats__chat_id__patch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                chat_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChatPatch"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Chat"];
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
    read_branch_api_v1_chats__chat_id__messages_get: {
        parameters: {
            query?: {
                /** @description rows at most */
                limit?: number;
                /** @description first message already seen; the page ends right above it */
                before?: string | null;
            };
            header?: never;
            path: {
                chat_id: string;
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
                    "application/json": components["schemas"]["Page_Message_"];
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
    post_message_api_v1_chats__chat_id__messages_post: {
        parameters: {
            query?: never;
            header?: {
                /** @description repeat the call safely: the first answer comes again */
                "Idempotency-Key"?: string | null;
            };
            path: {
                chat_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MessageCreate"];
            };
        };
        responses: {
            /** @description the finished reply, or with `Accept: text/event-stream` its events */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Message"];
                    "text/event-stream": components["schemas"]["ChatEvent"];
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
    read_message_api_v1_chats__chat_id__messages__message_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                chat_id: string;
                message_id: string;
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
                    "application/json": components["schemas"]["Message"];
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
    go_on_api_v1_chats__chat_id__messages__message_id__continue_post: {
        parameters: {
            query?: never;
            header?: {
                /** @description repeat the call safely: the first answer comes again */
                "Idempotency-Key"?: string | null;
            };
            path: {
                chat_id: string;
                message_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ReplyOptions"] | null;
            };
        };
        responses: {
            /** @description the finished reply, or with `Accept: text/event-stream` its events */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Message"];
                    "text/event-stream": components["schemas"]["ChatEvent"];
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
    regenerate_api_v1_chats__chat_id__messages__message_id__regenerate_post: {
        parameters: {
            query?: never;
            header?: {
                /** @description repeat the call safely: the first answer comes again */
                "Idempotency-Key"?: string | null;
            };
            path: {
                chat_id: string;
                message_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ReplyOptions"] | null;
            };
        };
        responses: {
            /** @description the finished reply, or with `Accept: text/event-stream` its events */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Message"];
                    "text/event-stream": components["schemas"]["ChatEvent"];
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
    stop_api_v1_chats__chat_id__messages__message_id__stop_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                chat_id: string;
                message_id: string;
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
                    "application/json": components["schemas"]["Message"];
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
    stream_api_v1_chats__chat_id__messages__message_id__stream_get: {
        parameters: {
            query?: {
                /** @description id of the last event already seen; Last-Event-ID says the same */
                after?: number | null;
            };
            header?: {
                "Last-Event-ID"?: string | null;
            };
            path: {
                chat_id: string;
                message_id: string;
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
                    "text/event-stream": components["schemas"]["ChatEvent"];
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
