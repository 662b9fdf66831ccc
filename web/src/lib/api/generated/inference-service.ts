/** Written by `npm run generate` from docs/openapi; edit the service, not this file. */

export interface paths {
    "/api/v1/inference/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Models the caller may use, with status, progress and capabilities */
        get: operations["list_models_api_v1_inference_models_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/inference/providers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** State of every configured provider */
        get: operations["list_providers_api_v1_inference_providers_get"];
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
    "/internal/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Windows of all chat models, whoever may use them */
        get: operations["list_windows_internal_v1_models_get"];
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
    "/v1/chat/completions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Answer a conversation */
        post: operations["post_v1_chat_completions"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/embeddings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Turn texts into vectors */
        post: operations["post_v1_embeddings"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Models the caller may use, as OpenAI lists them */
        get: operations["list_openai_models_v1_models_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{model_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One model, as OpenAI describes it */
        get: operations["read_openai_model_v1_models__model_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/rerank": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Order texts by how well they answer a question */
        post: operations["post_v1_rerank"];
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
         * ChatCompletion
         * @description The provider's answer, passed on byte by byte.
         */
        ChatCompletion: {
            /** Choices */
            choices: {
                [key: string]: unknown;
            }[];
            /** Created */
            created: number;
            /** Id */
            id: string;
            /** Model */
            model: string;
            /**
             * Object
             * @default chat.completion
             * @constant
             */
            object: "chat.completion";
            /** @default null */
            usage: components["schemas"]["TokenUsage"] | null;
        } & {
            [key: string]: unknown;
        };
        /**
         * ChatCompletionRequest
         * @description As OpenAI defines it; what is not listed here is passed on to the provider.
         */
        ChatCompletionRequest: {
            /**
             * Frequency Penalty
             * @default null
             */
            frequency_penalty: number | null;
            /**
             * Logprobs
             * @default null
             */
            logprobs: boolean | null;
            /**
             * Max Completion Tokens
             * @default null
             */
            max_completion_tokens: number | null;
            /**
             * Max Tokens
             * @default null
             */
            max_tokens: number | null;
            /** Messages */
            messages: components["schemas"]["ChatMessage"][];
            /** Model */
            model: string;
            /**
             * N
             * @default null
             */
            n: number | null;
            /**
             * Presence Penalty
             * @default null
             */
            presence_penalty: number | null;
            /**
             * Response Format
             * @default null
             */
            response_format: {
                [key: string]: unknown;
            } | null;
            /**
             * Seed
             * @default null
             */
            seed: number | null;
            /**
             * Stop
             * @default null
             */
            stop: string | string[] | null;
            /**
             * Stream
             * @default false
             */
            stream: boolean;
            /** @default null */
            stream_options: components["schemas"]["StreamOptions"] | null;
            /**
             * Temperature
             * @default null
             */
            temperature: number | null;
            /**
             * Tool Choice
             * @default null
             */
            tool_choice: string | {
                [key: string]: unknown;
            } | null;
            /**
             * Tools
             * @default null
             */
            tools: {
                [key: string]: unknown;
            }[] | null;
            /**
             * Top Logprobs
             * @default null
             */
            top_logprobs: number | null;
            /**
             * Top P
             * @default null
             */
            top_p: number | null;
        } & {
            [key: string]: unknown;
        };
        /**
         * ChatMessage
         * @description One message; `content` is text or a list of parts.
         */
        ChatMessage: {
            /**
             * Content
             * @default null
             */
            content: string | {
                [key: string]: unknown;
            }[] | null;
            /**
             * Name
             * @default null
             */
            name: string | null;
            /**
             * Role
             * @enum {string}
             */
            role: "system" | "developer" | "user" | "assistant" | "tool" | "function";
            /**
             * Tool Call Id
             * @default null
             */
            tool_call_id: string | null;
            /**
             * Tool Calls
             * @default null
             */
            tool_calls: {
                [key: string]: unknown;
            }[] | null;
        } & {
            [key: string]: unknown;
        };
        /** EmbeddingView */
        EmbeddingView: {
            /** Embedding */
            embedding: number[] | string;
            /** Index */
            index: number;
            /**
             * Object
             * @default embedding
             * @constant
             */
            object: "embedding";
        };
        /** EmbeddingsAnswer */
        EmbeddingsAnswer: {
            /** Data */
            data: components["schemas"]["EmbeddingView"][];
            /** Model */
            model: string;
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
            usage: components["schemas"]["EmbeddingsUsage"];
        };
        /**
         * EmbeddingsBody
         * @description As OpenAI defines it, texts only.
         */
        EmbeddingsBody: {
            /**
             * Dimensions
             * @description only for models that can shorten their vectors
             * @default null
             */
            dimensions: number | null;
            /**
             * Encoding Format
             * @default float
             * @enum {string}
             */
            encoding_format: "float" | "base64";
            /** Input */
            input: string | string[];
            /** Model */
            model: string;
        };
        /** EmbeddingsUsage */
        EmbeddingsUsage: {
            /** Prompt Tokens */
            prompt_tokens: number;
            /** Total Tokens */
            total_tokens: number;
        };
        /** HTTPValidationError */
        HTTPValidationError: {
            /** Detail */
            detail?: components["schemas"]["ValidationError"][];
        };
        /** ModelList */
        ModelList: {
            /** Data */
            data: components["schemas"]["ModelView"][];
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
         * ModelView
         * @description A model with what a picker shows.
         */
        ModelView: {
            /** Builtin */
            builtin: boolean;
            /** Capabilities */
            capabilities: string[];
            /**
             * Context Length
             * @description tokens it reads at most; always there, null only in answers of older versions
             */
            context_length: number | null;
            /**
             * Context Source
             * @description who says so: its provider, the operator, the table of known models; or nobody, and it is assumed
             * @enum {string}
             */
            context_source: "provider" | "setting" | "table" | "default";
            /** Detail */
            detail: string | null;
            /** Id */
            id: string;
            /**
             * Kind
             * @enum {string}
             */
            kind: "chat" | "embedding";
            /** Name */
            name: string;
            /**
             * Output Tokens Max
             * @description tokens of one answer at most; null: not known
             */
            output_tokens_max: number | null;
            /**
             * Priced
             * @description whether billing knows its price or that it is free; null: not known now
             */
            priced: boolean | null;
            /** Progress */
            progress: components["schemas"]["Progress"] | {
                [key: string]: unknown;
            } | null;
            /** Provider */
            provider: string;
            /**
             * Starter
             * @description a small model to begin with; answers are short and not always right
             */
            starter: boolean;
            /**
             * Status
             * @enum {string}
             */
            status: "ready" | "loading" | "down";
        };
        /**
         * ModelWindow
         * @description How much a model reads and writes, for the services that build prompts.
         */
        ModelWindow: {
            /** Context Length */
            context_length: number;
            /**
             * Context Source
             * @enum {string}
             */
            context_source: "provider" | "setting" | "table" | "default";
            /** Id */
            id: string;
            /** Output Tokens Max */
            output_tokens_max: number | null;
        };
        /** ModelWindowList */
        ModelWindowList: {
            /** Data */
            data: components["schemas"]["ModelWindow"][];
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
        };
        /**
         * OpenAIModel
         * @description One entry of OpenAI's /v1/models.
         */
        OpenAIModel: {
            /**
             * Created
             * @description unix seconds: when it was made, or first seen here
             */
            created: number;
            /** Id */
            id: string;
            /**
             * Object
             * @default model
             * @constant
             */
            object: "model";
            /** Owned By */
            owned_by: string;
        };
        /** OpenAIModelList */
        OpenAIModelList: {
            /** Data */
            data: components["schemas"]["OpenAIModel"][];
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
        };
        /**
         * Progress
         * @description How far a built-in model is.
         */
        Progress: {
            /** Downloaded Bytes */
            downloaded_bytes?: number | null;
            /** Eta S */
            eta_s?: number | null;
            /** State */
            state: string;
            /** Total Bytes */
            total_bytes?: number | null;
        };
        /**
         * ProviderList
         * @description All of them, in the order in which they win a model id.
         */
        ProviderList: {
            /** Data */
            data: components["schemas"]["ProviderView"][];
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
         * ProviderView
         * @description One configured provider; never its key.
         */
        ProviderView: {
            /**
             * Address
             * @description null for those who do not administer the installation
             */
            address: string | null;
            /** Checked At */
            checked_at: string | null;
            /**
             * Detail
             * @description why it is not ready, and what to do
             */
            detail: string | null;
            /** Id */
            id: string;
            /** Kind */
            kind: string;
            /**
             * Models
             * @description models it serves, or served when it last answered
             */
            models: number;
            /**
             * Operator Detail
             * @description address or setting to look at; administrators only
             */
            operator_detail?: string | null;
            /**
             * Status
             * @enum {string}
             */
            status: "ready" | "loading" | "down";
        };
        /**
         * RerankAnswer
         * @description Best first.
         */
        RerankAnswer: {
            /** Model */
            model: string;
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
            /** Results */
            results: components["schemas"]["RerankResult"][];
            usage: components["schemas"]["RerankUsage"];
        };
        /**
         * RerankBody
         * @description As Jina and Cohere define it, texts only.
         */
        RerankBody: {
            /** Documents */
            documents: (string | components["schemas"]["RerankDocument"])[];
            /** Model */
            model: string;
            /** Query */
            query: string;
            /**
             * Return Documents
             * @description repeat each text in its result
             * @default false
             */
            return_documents: boolean;
            /**
             * Top N
             * @description how many of the best to answer; unset: all
             * @default null
             */
            top_n: number | null;
        };
        /** RerankDocument */
        RerankDocument: {
            /** Text */
            text: string;
        };
        /**
         * RerankResult
         * @description `index` is the place in the request.
         */
        RerankResult: {
            /** @default null */
            document: components["schemas"]["RerankDocument"] | null;
            /** Index */
            index: number;
            /** Relevance Score */
            relevance_score: number;
        };
        /** RerankUsage */
        RerankUsage: {
            /** Prompt Tokens */
            prompt_tokens: number;
            /** Total Tokens */
            total_tokens: number;
        };
        /** StreamOptions */
        StreamOptions: {
            /**
             * Include Usage
             * @description end the stream with an event that carries usage, cost_nano and remaining_nano
             * @default false
             */
            include_usage: boolean;
        };
        /**
         * TokenUsage
         * @description In the last event of a stream our two fields are added.
         */
        TokenUsage: {
            /** Completion Tokens */
            completion_tokens: number;
            /**
             * Cost Nano
             * @default null
             */
            cost_nano: number | null;
            /** Prompt Tokens */
            prompt_tokens: number;
            /**
             * Remaining Nano
             * @default null
             */
            remaining_nano: number | null;
            /** Total Tokens */
            total_tokens: number;
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
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    list_models_api_v1_inference_models_get: {
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
                    "application/json": components["schemas"]["ModelList"];
                };
            };
        };
    };
    list_providers_api_v1_inference_providers_get: {
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
                    "application/json": components["schemas"]["ProviderList"];
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
    list_windows_internal_v1_models_get: {
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
                    "application/json": components["schemas"]["ModelWindowList"];
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
    post_v1_chat_completions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChatCompletionRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChatCompletion"];
                };
            };
        };
    };
    post_v1_embeddings: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EmbeddingsBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EmbeddingsAnswer"];
                };
            };
        };
    };
    list_openai_models_v1_models_get: {
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
                    "application/json": components["schemas"]["OpenAIModelList"];
                };
            };
        };
    };
    read_openai_model_v1_models__model_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model_id: string;
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
                    "application/json": components["schemas"]["OpenAIModel"];
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
    post_v1_rerank: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RerankBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RerankAnswer"];
                };
            };
        };
    };
}
