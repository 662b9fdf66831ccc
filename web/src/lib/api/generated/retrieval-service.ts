/** Written by `npm run generate` from docs/openapi; edit the service, not this file. */

export interface paths {
    "/api/v1/retrieval/files": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Your files, newest first; or those of a knowledge base */
        get: operations["list_files_api_v1_retrieval_files_get"];
        put?: never;
        /**
         * Upload a file
         * @description PDF, DOCX, Markdown, HTML or plain text. Through the gateway a body may have 32 MiB; send larger files by `POST /api/v1/retrieval/uploads`, in chunks.
         */
        post: operations["upload_file_api_v1_retrieval_files_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retrieval/files/{file_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One file and how far its ingestion is */
        get: operations["read_file_api_v1_retrieval_files__file_id__get"];
        put?: never;
        post?: never;
        /** Delete a file; from now on nobody sees it */
        delete: operations["delete_file_api_v1_retrieval_files__file_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retrieval/files/{file_id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Stop the ingestion; the file stays and can be tried again */
        post: operations["cancel_file_api_v1_retrieval_files__file_id__cancel_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retrieval/files/{file_id}/chunks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The passages of a file, in reading order */
        get: operations["list_chunks_api_v1_retrieval_files__file_id__chunks_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retrieval/files/{file_id}/chunks/{chunk_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One passage with what stands around it */
        get: operations["read_chunk_api_v1_retrieval_files__file_id__chunks__chunk_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retrieval/files/{file_id}/content": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The file as it was uploaded */
        get: operations["read_content_api_v1_retrieval_files__file_id__content_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retrieval/files/{file_id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ingest a failed or cancelled file again */
        post: operations["retry_file_api_v1_retrieval_files__file_id__retry_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retrieval/knowledge-bases": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Knowledge bases you may read, newest first */
        get: operations["list_knowledge_bases_api_v1_retrieval_knowledge_bases_get"];
        put?: never;
        /** Make a knowledge base */
        post: operations["create_knowledge_base_api_v1_retrieval_knowledge_bases_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retrieval/knowledge-bases/{knowledge_base_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One knowledge base */
        get: operations["read_knowledge_base_api_v1_retrieval_knowledge_bases__knowledge_base_id__get"];
        put?: never;
        post?: never;
        /** Delete a knowledge base; its files stay unless asked otherwise */
        delete: operations["delete_knowledge_base_api_v1_retrieval_knowledge_bases__knowledge_base_id__delete"];
        options?: never;
        head?: never;
        /** Rename, describe, open or close a knowledge base of your own */
        patch: operations["patch_knowledge_base_api_v1_retrieval_knowledge_bases__knowledge_base_id__patch"];
        trace?: never;
    };
    "/api/v1/retrieval/knowledge-bases/{knowledge_base_id}/files": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Its files, newest first; of others' only what is ready */
        get: operations["list_knowledge_base_files_api_v1_retrieval_knowledge_bases__knowledge_base_id__files_get"];
        put?: never;
        /** Put one of your files in; putting it in twice changes nothing */
        post: operations["link_file_api_v1_retrieval_knowledge_bases__knowledge_base_id__files_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retrieval/knowledge-bases/{knowledge_base_id}/files/{file_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Take a file out; the file itself stays */
        delete: operations["unlink_file_api_v1_retrieval_knowledge_bases__knowledge_base_id__files__file_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retrieval/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who the caller is */
        get: operations["me_api_v1_retrieval_me_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retrieval/quota": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What you keep and may keep */
        get: operations["read_quota_api_v1_retrieval_quota_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retrieval/reconciliation": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the last comparison of files, passages and vectors found */
        get: operations["read_reconciliation_api_v1_retrieval_reconciliation_get"];
        put?: never;
        /** Compare and heal now */
        post: operations["run_reconciliation_api_v1_retrieval_reconciliation_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retrieval/search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Find passages in your files and knowledge bases */
        post: operations["search_api_v1_retrieval_search_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retrieval/uploads": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Begin a resumable upload */
        post: operations["create_upload_api_v1_retrieval_uploads_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retrieval/uploads/{upload_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How much has arrived */
        get: operations["read_upload_api_v1_retrieval_uploads__upload_id__get"];
        put?: never;
        post?: never;
        /** Give an upload up; a file it became stays */
        delete: operations["delete_upload_api_v1_retrieval_uploads__upload_id__delete"];
        options?: never;
        head?: never;
        /**
         * Send the next chunk
         * @description The body is the chunk. Repeating a chunk changes nothing; another offset is answered 409 with the right one. The answer to the last chunk holds the document.
         */
        patch: operations["append_chunk_api_v1_retrieval_uploads__upload_id__patch"];
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
         * Candidate
         * @description A passage that was looked at, with its ranks (from 1) and scores, and why it was used or not.
         */
        Candidate: {
            /** Bm25 Rank */
            bm25_rank?: number | null;
            /** Bm25 Score */
            bm25_score?: number | null;
            /**
             * Chunk Id
             * Format: uuid
             */
            chunk_id: string;
            /** Dense Rank */
            dense_rank?: number | null;
            /** Dense Score */
            dense_score?: number | null;
            /**
             * File Id
             * Format: uuid
             */
            file_id: string;
            /** Filename */
            filename: string;
            /** Fused Score */
            fused_score?: number | null;
            /** Page */
            page: number | null;
            /** Reason */
            reason: string;
            /** Rerank Score */
            rerank_score?: number | null;
            /** Used */
            used: boolean;
        };
        /**
         * Chunk
         * @description One passage of a file. `start` and `end` are character offsets in the text of the document.
         */
        Chunk: {
            /**
             * Chunk Id
             * Format: uuid
             */
            chunk_id: string;
            /** End */
            end: number;
            /**
             * Heading
             * @description the headings it stands under, outermost first
             */
            heading: string | null;
            /**
             * Ordinal
             * @description from 0
             */
            ordinal: number;
            /**
             * Page
             * @description of its first character, from 1; null: the format has no pages
             */
            page: number | null;
            /** Start */
            start: number;
            /** Text */
            text: string;
            /** Token Count */
            token_count: number;
        };
        /**
         * ChunkInContext
         * @description A passage with what stands around it, as far as the neighbouring passages reach.
         */
        ChunkInContext: {
            /**
             * After
             * @description text just after the passage; null: it is the last
             */
            after: string | null;
            /**
             * Before
             * @description text just before the passage; null: it is the first
             */
            before: string | null;
            /**
             * Chunk Id
             * Format: uuid
             */
            chunk_id: string;
            /** End */
            end: number;
            /**
             * File Id
             * Format: uuid
             */
            file_id: string;
            /** Filename */
            filename: string;
            /**
             * Heading
             * @description the headings it stands under, outermost first
             */
            heading: string | null;
            /** Next Chunk Id */
            next_chunk_id: string | null;
            /**
             * Ordinal
             * @description from 0
             */
            ordinal: number;
            /**
             * Page
             * @description of its first character, from 1; null: the format has no pages
             */
            page: number | null;
            /** Previous Chunk Id */
            previous_chunk_id: string | null;
            /** Start */
            start: number;
            /** Text */
            text: string;
            /** Token Count */
            token_count: number;
        };
        /**
         * DocumentError
         * @description Why a document could not be read, and what to do.
         */
        DocumentError: {
            /** Code */
            code: string;
            /** Detail */
            detail: string;
        };
        /**
         * DocumentMetadata
         * @description One file and how far its ingestion is. The first ten members are a contract with their exact names.
         */
        DocumentMetadata: {
            /** Chunk Count */
            chunk_count?: number | null;
            /** Content Type */
            content_type: string;
            /**
             * Customer Id
             * Format: uuid
             * @description the organisation
             */
            customer_id: string;
            /**
             * Document Id
             * Format: uuid
             * @description also the file_id of search and chats
             */
            document_id: string;
            /**
             * Embedding Status
             * @enum {string}
             */
            embedding_status: "pending" | "completed" | "failed";
            error?: components["schemas"]["DocumentError"] | null;
            /** Filename */
            filename: string;
            /** Knowledge Base Ids */
            knowledge_base_ids?: string[];
            /** Page Count */
            page_count?: number | null;
            progress?: components["schemas"]["DocumentProgress"] | null;
            /** Qdrant Collection */
            qdrant_collection: string;
            /**
             * Qdrant Point Id
             * @description point of the first chunk; null until the document is ready
             */
            qdrant_point_id: string | null;
            /** S3 Key */
            s3_key: string;
            /** Sha256 */
            sha256: string;
            /** Size Bytes */
            size_bytes: number;
            /**
             * Stage
             * @enum {string}
             */
            stage: "queued" | "parsing" | "embedding" | "ready" | "failed" | "cancelled";
            /** Token Count */
            token_count?: number | null;
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
            /**
             * Upload Timestamp
             * Format: date-time
             */
            upload_timestamp: string;
        };
        /**
         * DocumentProgress
         * @description How far the stage is; `total` null: not known yet.
         */
        DocumentProgress: {
            /** Done */
            done: number;
            /** Total */
            total: number | null;
            /**
             * Unit
             * @enum {string}
             */
            unit: "bytes" | "pages" | "chunks";
        };
        /**
         * FileLink
         * @description A file to put into a knowledge base.
         */
        FileLink: {
            /**
             * File Id
             * Format: uuid
             * @description one of your own files
             */
            file_id: string;
        };
        /**
         * Finding
         * @description One kind of disagreement. What is not healed yet is younger than the grace time, or cannot be
         *     healed.
         */
        Finding: {
            /**
             * Count
             * @description files or objects it concerns
             */
            count: number;
            /**
             * Examples
             * @description ids of files, or keys of objects
             */
            examples: string[];
            /**
             * Healed
             * @description of them removed, or queued to be read again
             */
            healed: number;
            /**
             * Kind
             * @enum {string}
             */
            kind: "vectors_without_file" | "passages_without_file" | "objects_without_file" | "file_without_passages" | "file_without_object";
        };
        /** HTTPValidationError */
        HTTPValidationError: {
            /** Detail */
            detail?: components["schemas"]["ValidationError"][];
        };
        /**
         * KnowledgeBase
         * @description A named set of files to search in.
         */
        KnowledgeBase: {
            /**
             * Access
             * @enum {string}
             */
            access: "private" | "organisation";
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Description */
            description: string;
            /** File Count */
            file_count: number;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Name */
            name: string;
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
            /**
             * Writable
             * @description whether the caller may change it
             */
            writable: boolean;
        };
        /**
         * KnowledgeBaseCreate
         * @description Body of POST /api/v1/retrieval/knowledge-bases.
         */
        KnowledgeBaseCreate: {
            /**
             * Access
             * @description organisation: everyone there may read and search it
             * @default private
             * @enum {string}
             */
            access: "private" | "organisation";
            /**
             * Description
             * @default
             */
            description: string;
            /** Name */
            name: string;
        };
        /**
         * KnowledgeBasePatch
         * @description What changes; what is left out stays.
         */
        KnowledgeBasePatch: {
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
             * Name
             * @default
             */
            name: string;
        };
        /** Page[Chunk] */
        Page_Chunk_: {
            /** Data */
            data: components["schemas"]["Chunk"][];
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
        /** Page[DocumentMetadata] */
        Page_DocumentMetadata_: {
            /** Data */
            data: components["schemas"]["DocumentMetadata"][];
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
        /** Page[KnowledgeBase] */
        Page_KnowledgeBase_: {
            /** Data */
            data: components["schemas"]["KnowledgeBase"][];
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
         * Passage
         * @description One passage, best first. `start` and `end` are character offsets in the text of the document.
         */
        Passage: {
            /**
             * Chunk Id
             * Format: uuid
             */
            chunk_id: string;
            /** End */
            end: number;
            /**
             * File Id
             * Format: uuid
             */
            file_id: string;
            /** Filename */
            filename: string;
            /** Heading */
            heading: string | null;
            /** Page */
            page: number | null;
            /** Score */
            score: number;
            /** Start */
            start: number;
            /** Text */
            text: string;
        };
        /**
         * Permission
         * @description Every permission by name; a route names exactly one.
         * @enum {string}
         */
        Permission: "me:read" | "me:write" | "keys:manage" | "chats:read" | "chats:write" | "files:read" | "files:write" | "agents:read" | "agents:write" | "agents:run" | "code:execute" | "tools:manage" | "models:use" | "models:read" | "usage:read" | "usage:read_all" | "prices:read" | "prices:write" | "wallets:read" | "wallets:write" | "budgets:read" | "budgets:write" | "ledger:read" | "users:read" | "users:write" | "audit:read" | "status:read";
        /**
         * QuotaView
         * @description What a person holds, with unfinished uploads, and may hold.
         */
        QuotaView: {
            /** Bytes */
            bytes: number;
            /** Bytes Max */
            bytes_max: number;
            /** File Bytes Max */
            file_bytes_max: number;
            /** Files */
            files: number;
            /** Files Max */
            files_max: number;
        };
        /**
         * Reconciliation
         * @description The last report of this process.
         */
        Reconciliation: {
            last: components["schemas"]["Report"] | null;
            /** Running */
            running: boolean;
        };
        /**
         * Report
         * @description `findings` is empty when everything agrees.
         */
        Report: {
            /** Files */
            files: number;
            /** Findings */
            findings: components["schemas"]["Finding"][];
            /**
             * Finished At
             * Format: date-time
             */
            finished_at: string;
            /** Objects */
            objects: number;
            /** Passages */
            passages: number;
            /** Points */
            points: number;
            /**
             * Started At
             * Format: date-time
             */
            started_at: string;
        };
        /**
         * Role
         * @description Roles are permission sets, not a ladder.
         * @enum {string}
         */
        Role: "admin" | "admin-readonly" | "finance" | "org-admin" | "team-admin" | "user" | "pending";
        /**
         * SearchRequest
         * @description Body of POST /api/v1/retrieval/search. Without knowledge bases and files: all files of the caller.
         */
        SearchRequest: {
            /** File Ids */
            file_ids?: string[];
            /**
             * K
             * @default 8
             */
            k: number;
            /** Knowledge Base Ids */
            knowledge_base_ids?: string[];
            /**
             * Mode
             * @description unset: hybrid, or dense where ENABLE_RAG_HYBRID_SEARCH is false
             */
            mode?: ("dense" | "bm25" | "hybrid") | null;
            /** Query */
            query: string;
            /**
             * Rerank
             * @default false
             */
            rerank: boolean;
            /**
             * Trace
             * @default false
             */
            trace: boolean;
        };
        /**
         * SearchResponse
         * @description What POST /api/v1/retrieval/search answers.
         */
        SearchResponse: {
            /** Data */
            data: components["schemas"]["Passage"][];
            trace?: components["schemas"]["SearchTrace"] | null;
        };
        /**
         * SearchTrace
         * @description How the answer came about; durations in milliseconds by phase. `mode` is the one used; `notes` say why
         *     it is another.
         */
        SearchTrace: {
            /** Candidates */
            candidates: components["schemas"]["Candidate"][];
            /** Files Searched */
            files_searched: number;
            /**
             * Mode
             * @enum {string}
             */
            mode: "dense" | "bm25" | "hybrid";
            /** Notes */
            notes?: string[];
            /** Took Ms */
            took_ms: {
                [key: string]: number;
            };
        };
        /**
         * UploadCreate
         * @description Body of POST /api/v1/retrieval/uploads.
         */
        UploadCreate: {
            /** Content Type */
            content_type?: string | null;
            /** Filename */
            filename: string;
            /**
             * Knowledge Base Id
             * @description one of your own; the file is put in
             */
            knowledge_base_id?: string | null;
            /**
             * Sha256
             * @description of the whole file, checked at the end
             */
            sha256?: string | null;
            /**
             * Size Bytes
             * @description of the whole file
             */
            size_bytes: number;
        };
        /**
         * UploadView
         * @description An upload. `offset` is where the next chunk begins; `document` is there when all has arrived, `error`
         *     when it was refused.
         */
        UploadView: {
            /** Chunk Bytes Max */
            chunk_bytes_max: number;
            /**
             * Chunk Bytes Min
             * @description least bytes of a chunk that is not the last
             */
            chunk_bytes_min: number;
            document?: components["schemas"]["DocumentMetadata"] | null;
            error?: components["schemas"]["DocumentError"] | null;
            /**
             * Expires At
             * Format: date-time
             */
            expires_at: string;
            /** Filename */
            filename: string;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Offset */
            offset: number;
            /** Size Bytes */
            size_bytes: number;
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
    list_files_api_v1_retrieval_files_get: {
        parameters: {
            query?: {
                /** @description rows at most */
                limit?: number;
                /** @description id of the last row already seen */
                after?: string | null;
                /** @description files of this knowledge base instead */
                knowledge_base_id?: string | null;
                /** @description only files at this stage */
                stage?: ("queued" | "parsing" | "embedding" | "ready" | "failed" | "cancelled") | null;
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
                    "application/json": components["schemas"]["Page_DocumentMetadata_"];
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
    upload_file_api_v1_retrieval_files_post: {
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
                "multipart/form-data": {
                    /** Format: binary */
                    file: string;
                    /**
                     * Format: uuid
                     * @description one of your own; the file is put in
                     */
                    knowledge_base_id?: string;
                };
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DocumentMetadata"];
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
    read_file_api_v1_retrieval_files__file_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                file_id: string;
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
                    "application/json": components["schemas"]["DocumentMetadata"];
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
    delete_file_api_v1_retrieval_files__file_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                file_id: string;
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
    cancel_file_api_v1_retrieval_files__file_id__cancel_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                file_id: string;
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
                    "application/json": components["schemas"]["DocumentMetadata"];
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
    list_chunks_api_v1_retrieval_files__file_id__chunks_get: {
        parameters: {
            query?: {
                /** @description rows at most */
                limit?: number;
                /** @description id of the last row already seen */
                after?: string | null;
            };
            header?: never;
            path: {
                file_id: string;
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
                    "application/json": components["schemas"]["Page_Chunk_"];
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
    read_chunk_api_v1_retrieval_files__file_id__chunks__chunk_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                file_id: string;
                chunk_id: string;
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
                    "application/json": components["schemas"]["ChunkInContext"];
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
    read_content_api_v1_retrieval_files__file_id__content_get: {
        parameters: {
            query?: {
                /** @description show instead of save; PDF and plain text only */
                inline?: boolean;
            };
            header?: {
                Range?: string | null;
                "If-Range"?: string | null;
            };
            path: {
                file_id: string;
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
                    "application/octet-stream": unknown;
                };
            };
            /** @description the asked range */
            206: {
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
    retry_file_api_v1_retrieval_files__file_id__retry_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                file_id: string;
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
                    "application/json": components["schemas"]["DocumentMetadata"];
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
    list_knowledge_bases_api_v1_retrieval_knowledge_bases_get: {
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
                    "application/json": components["schemas"]["Page_KnowledgeBase_"];
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
    create_knowledge_base_api_v1_retrieval_knowledge_bases_post: {
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
                "application/json": components["schemas"]["KnowledgeBaseCreate"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KnowledgeBase"];
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
    read_knowledge_base_api_v1_retrieval_knowledge_bases__knowledge_base_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                knowledge_base_id: string;
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
                    "application/json": components["schemas"]["KnowledgeBase"];
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
    delete_knowledge_base_api_v1_retrieval_knowledge_bases__knowledge_base_id__delete: {
        parameters: {
            query?: {
                /** @description delete its files too, also from other knowledge bases */
                delete_files?: boolean;
            };
            header?: never;
            path: {
                knowledge_base_id: string;
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
    patch_knowledge_base_api_v1_retrieval_knowledge_bases__knowledge_base_id__patch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                knowledge_base_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["KnowledgeBasePatch"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KnowledgeBase"];
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
    list_knowledge_base_files_api_v1_retrieval_knowledge_bases__knowledge_base_id__files_get: {
        parameters: {
            query?: {
                /** @description rows at most */
                limit?: number;
                /** @description id of the last row already seen */
                after?: string | null;
                /** @description only files at this stage */
                stage?: ("queued" | "parsing" | "embedding" | "ready" | "failed" | "cancelled") | null;
            };
            header?: never;
            path: {
                knowledge_base_id: string;
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
                    "application/json": components["schemas"]["Page_DocumentMetadata_"];
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
    link_file_api_v1_retrieval_knowledge_bases__knowledge_base_id__files_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                knowledge_base_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["FileLink"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DocumentMetadata"];
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
    unlink_file_api_v1_retrieval_knowledge_bases__knowledge_base_id__files__file_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                knowledge_base_id: string;
                file_id: string;
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
    me_api_v1_retrieval_me_get: {
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
    read_quota_api_v1_retrieval_quota_get: {
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
                    "application/json": components["schemas"]["QuotaView"];
                };
            };
        };
    };
    read_reconciliation_api_v1_retrieval_reconciliation_get: {
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
                    "application/json": components["schemas"]["Reconciliation"];
                };
            };
        };
    };
    run_reconciliation_api_v1_retrieval_reconciliation_post: {
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
                    "application/json": components["schemas"]["Report"];
                };
            };
        };
    };
    search_api_v1_retrieval_search_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SearchRequest"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SearchResponse"];
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
    create_upload_api_v1_retrieval_uploads_post: {
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
                "application/json": components["schemas"]["UploadCreate"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UploadView"];
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
    read_upload_api_v1_retrieval_uploads__upload_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                upload_id: string;
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
                    "application/json": components["schemas"]["UploadView"];
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
    delete_upload_api_v1_retrieval_uploads__upload_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                upload_id: string;
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
    append_chunk_api_v1_retrieval_uploads__upload_id__patch: {
        parameters: {
            query?: never;
            header: {
                /** @description where in the file the chunk begins */
                "upload-offset": number;
            };
            path: {
                upload_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/octet-stream": string;
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UploadView"];
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
