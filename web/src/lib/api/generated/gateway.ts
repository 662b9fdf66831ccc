/** Written by `npm run generate` from docs/openapi; edit the service, not this file. */

export interface paths {
    "/api/v1/admin/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Administrative acts, newest first */
        get: operations["list_audit_api_v1_admin_audit_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/organisations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The caller's organisation */
        get: operations["list_organisations_api_v1_admin_organisations_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/teams": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Teams of the organisation */
        get: operations["list_teams_api_v1_admin_teams_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** People of the organisation, the last changed first */
        get: operations["list_users_api_v1_admin_users_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/users/{user_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Delete a person's account and all that is theirs */
        delete: operations["delete_user_api_v1_admin_users__user_id__delete"];
        options?: never;
        head?: never;
        /** Change a person's role or status */
        patch: operations["change_user_api_v1_admin_users__user_id__patch"];
        trace?: never;
    };
    "/api/v1/auth/api-keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The caller's keys */
        get: operations["list_keys_api_v1_auth_api_keys_get"];
        put?: never;
        /** Make an API key; it is shown this once */
        post: operations["create_key_api_v1_auth_api_keys_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/auth/api-keys/{key_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Revoke a key at once */
        delete: operations["delete_key_api_v1_auth_api_keys__key_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/auth/api-keys/{key_id}/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Give a key a new secret */
        post: operations["rotate_key_api_v1_auth_api_keys__key_id__rotate_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/auth/config": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the sign-in page must know */
        get: operations["auth_config_api_v1_auth_config_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/auth/jwks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Public keys that verify user tokens */
        get: operations["jwks_api_v1_auth_jwks_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/auth/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The caller and what they may do */
        get: operations["me_api_v1_auth_me_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/auth/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Change the own password; other sessions end */
        post: operations["change_password_api_v1_auth_password_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/auth/refresh": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Swap the refresh cookie for a new access token and the next cookie */
        post: operations["refresh_api_v1_auth_refresh_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/auth/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Where the caller is signed in */
        get: operations["list_sessions_api_v1_auth_sessions_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/auth/sessions/{session_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** End one session */
        delete: operations["revoke_session_api_v1_auth_sessions__session_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/auth/signin": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Swap e-mail address and password for an access token and a refresh cookie */
        post: operations["sign_in_api_v1_auth_signin_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/auth/signout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** End the session of the refresh cookie */
        post: operations["sign_out_api_v1_auth_signout_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/auth/signup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make an account; the first one becomes the administrator */
        post: operations["sign_up_api_v1_auth_signup_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/auth/token": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Swap an API key for a token that every service accepts directly */
        post: operations["swap_key_api_v1_auth_token_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** All services in one OpenAPI document */
        get: operations["document_api_v1_openapi_json_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How the installation is */
        get: operations["status_api_v1_status_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The gateway answers; for clients that look here */
        get: operations["health_health_get"];
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
         * AccessToken
         * @description A token every service accepts directly.
         */
        AccessToken: {
            /** Access Token */
            access_token: string;
            /**
             * Expires In
             * @description seconds until it expires
             */
            expires_in: number;
            /**
             * Token Type
             * @default Bearer
             * @constant
             */
            token_type: "Bearer";
        };
        /**
         * AccountStatus
         * @description A suspended person keeps everything and may do nothing.
         * @enum {string}
         */
        AccountStatus: "active" | "suspended";
        /** Alive */
        Alive: {
            /**
             * Status
             * @default ok
             * @constant
             */
            status: "ok";
        };
        /**
         * AuditInfo
         * @description One administrative act.
         */
        AuditInfo: {
            /** Action */
            action: string;
            /**
             * Actor Id
             * @description absent: the operator at the command line
             */
            actor_id: string | null;
            /** Actor Key Id */
            actor_key_id: string | null;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Detail */
            detail: {
                [key: string]: unknown;
            };
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /**
             * Service
             * @description which service recorded it
             */
            service: string;
            /**
             * Target Id
             * Format: uuid
             * @description name-based (version 5) for what has no UUID, such as a model; `detail.subject` names it
             */
            target_id: string;
            /** Target Type */
            target_type: string;
        };
        /**
         * AuthConfig
         * @description What the sign-in page must know before anyone is signed in.
         */
        AuthConfig: {
            /** Name */
            name: string;
            /**
             * Setup Required
             * @description no account exists yet; the first one becomes the administrator
             */
            setup_required: boolean;
            /** Setup Token Required */
            setup_token_required: boolean;
            /** Signup Open */
            signup_open: boolean;
        };
        /** CreatedKey */
        CreatedKey: {
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Expires At */
            expires_at: string | null;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /**
             * Key
             * @description shown this once; store it now
             */
            key: string;
            /** Last Used At */
            last_used_at: string | null;
            limits: components["schemas"]["KeyLimits"];
            /** Models */
            models: string[];
            /** Name */
            name: string;
            /** Prefix */
            prefix: string;
            /** Scopes */
            scopes: string[] | null;
            /**
             * Team Id
             * Format: uuid
             */
            team_id: string;
        };
        /**
         * DependencyStatus
         * @description Something the gateway can work without for a while.
         */
        DependencyStatus: {
            /**
             * Last Success At
             * @description when it last answered; absent before that
             */
            last_success_at: string | null;
            /**
             * Status
             * @enum {string}
             */
            status: "ok" | "down";
        };
        /** HTTPValidationError */
        HTTPValidationError: {
            /** Detail */
            detail?: components["schemas"]["ValidationError"][];
        };
        /**
         * InstallationStatus
         * @description `degraded`: some service or dependency is down. `down`: the gateway itself cannot work.
         */
        InstallationStatus: {
            /**
             * Dependencies
             * @description `redis`, where REDIS_URL is set
             */
            dependencies?: {
                [key: string]: components["schemas"]["DependencyStatus"];
            };
            /** Services */
            services: {
                [key: string]: components["schemas"]["ServiceStatus"];
            };
            /**
             * Status
             * @enum {string}
             */
            status: "ok" | "degraded" | "down";
            /** Version */
            version: string;
        };
        /**
         * JsonWebKeySet
         * @description Public keys that verify user tokens (RFC 7517).
         */
        JsonWebKeySet: {
            /** Keys */
            keys: {
                [key: string]: unknown;
            }[];
        };
        /**
         * KeyInfo
         * @description A key as its owner sees it afterwards; the key itself is gone.
         */
        KeyInfo: {
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Expires At */
            expires_at: string | null;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Last Used At */
            last_used_at: string | null;
            limits: components["schemas"]["KeyLimits"];
            /** Models */
            models: string[];
            /** Name */
            name: string;
            /** Prefix */
            prefix: string;
            /** Scopes */
            scopes: string[] | null;
            /**
             * Team Id
             * Format: uuid
             */
            team_id: string;
        };
        /** KeyLimits */
        KeyLimits: {
            /**
             * Rpm
             * @description requests a minute
             */
            rpm?: number | null;
        };
        /**
         * Me
         * @description The caller and what they may do.
         */
        Me: {
            /** Email */
            email: string;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Key Id */
            key_id?: string | null;
            /** Name */
            name: string;
            /**
             * Organisation Id
             * Format: uuid
             */
            organisation_id: string;
            /** Permissions */
            permissions: string[];
            role: components["schemas"]["Role"];
            /** Session Id */
            session_id?: string | null;
            /** Teams */
            teams: string[];
        };
        /** NewKey */
        NewKey: {
            /** Expires In S */
            expires_in_s?: number | null;
            limits?: components["schemas"]["KeyLimits"];
            /**
             * Models
             * @description models it may use; empty: all
             */
            models?: string[];
            /** Name */
            name: string;
            /**
             * Scopes
             * @description absent: all its creator may do
             */
            scopes?: components["schemas"]["Permission"][] | null;
        };
        /**
         * OrganisationInfo
         * @description A customer.
         */
        OrganisationInfo: {
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Name */
            name: string;
            usage_mode: components["schemas"]["UsageMode"];
        };
        /** Page[AuditInfo] */
        Page_AuditInfo_: {
            /** Data */
            data: components["schemas"]["AuditInfo"][];
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
        /** Page[KeyInfo] */
        Page_KeyInfo_: {
            /** Data */
            data: components["schemas"]["KeyInfo"][];
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
        /** Page[OrganisationInfo] */
        Page_OrganisationInfo_: {
            /** Data */
            data: components["schemas"]["OrganisationInfo"][];
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
        /** Page[SessionInfo] */
        Page_SessionInfo_: {
            /** Data */
            data: components["schemas"]["SessionInfo"][];
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
        /** Page[TeamInfo] */
        Page_TeamInfo_: {
            /** Data */
            data: components["schemas"]["TeamInfo"][];
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
        /** Page[UserDetail] */
        Page_UserDetail_: {
            /** Data */
            data: components["schemas"]["UserDetail"][];
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
        /** PasswordChange */
        PasswordChange: {
            /**
             * Current Password
             * Format: password
             */
            current_password: string;
            /**
             * New Password
             * Format: password
             */
            new_password: string;
        };
        /**
         * Permission
         * @description Every permission by name; a route names exactly one.
         * @enum {string}
         */
        Permission: "me:read" | "me:write" | "keys:manage" | "chats:read" | "chats:write" | "files:read" | "files:write" | "agents:read" | "agents:write" | "agents:run" | "code:execute" | "tools:manage" | "models:use" | "models:read" | "usage:read" | "usage:read_all" | "prices:read" | "prices:write" | "wallets:read" | "wallets:write" | "budgets:read" | "budgets:write" | "ledger:read" | "users:read" | "users:write" | "audit:read" | "status:read";
        /**
         * Role
         * @description Roles are permission sets, not a ladder.
         * @enum {string}
         */
        Role: "admin" | "admin-readonly" | "finance" | "org-admin" | "team-admin" | "user" | "pending";
        /** RotateKey */
        RotateKey: {
            /**
             * Grace S
             * @description seconds the old key still works
             * @default 0
             */
            grace_s: number;
        };
        /**
         * ServiceStatus
         * @description Terse on purpose: strangers may read it.
         */
        ServiceStatus: {
            /**
             * Latency Ms
             * @description of the readiness call; absent when nothing answered
             */
            latency_ms: number | null;
            /**
             * Status
             * @enum {string}
             */
            status: "ok" | "down";
        };
        /**
         * SessionInfo
         * @description One sign-in on one device.
         */
        SessionInfo: {
            /** Address */
            address: string;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /**
             * Current
             * @description the session this request belongs to
             */
            current: boolean;
            /**
             * Expires At
             * Format: date-time
             */
            expires_at: string;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /**
             * Last Used At
             * Format: date-time
             */
            last_used_at: string;
            /** User Agent */
            user_agent: string;
        };
        /** SignIn */
        SignIn: {
            /**
             * Email
             * @example ada@example.com
             */
            email: string;
            /**
             * Password
             * Format: password
             */
            password: string;
        };
        /** SignUp */
        SignUp: {
            /**
             * Email
             * @example ada@example.com
             */
            email: string;
            /** Name */
            name: string;
            /**
             * Password
             * Format: password
             */
            password: string;
            /**
             * Setup Token
             * @description only the first account may need it
             */
            setup_token?: string | null;
        };
        /**
         * SignedIn
         * @description A short-lived access token; the refresh token travels in an HttpOnly cookie.
         */
        SignedIn: {
            /** Access Token */
            access_token: string;
            /**
             * Expires In
             * @description seconds until the access token expires
             */
            expires_in: number;
            /**
             * Token Type
             * @default Bearer
             * @constant
             */
            token_type: "Bearer";
            user: components["schemas"]["User"];
        };
        /**
         * TeamInfo
         * @description A team and how many belong to it.
         */
        TeamInfo: {
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Members */
            members: number;
            /** Name */
            name: string;
            /**
             * Organisation Id
             * Format: uuid
             */
            organisation_id: string;
        };
        /**
         * UsageMode
         * @description Which models an organisation may reach: the installation's, those of providers elsewhere, or both.
         * @enum {string}
         */
        UsageMode: "local" | "external" | "hybrid";
        /**
         * User
         * @description A person as they see themselves.
         */
        User: {
            /** Email */
            email: string;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Name */
            name: string;
            /**
             * Organisation Id
             * Format: uuid
             */
            organisation_id: string;
            role: components["schemas"]["Role"];
            /** Teams */
            teams: string[];
        };
        /**
         * UserChange
         * @description What is absent stays.
         */
        UserChange: {
            role?: components["schemas"]["Role"] | null;
            status?: components["schemas"]["AccountStatus"] | null;
        };
        /**
         * UserDetail
         * @description A person as administrators see them.
         */
        UserDetail: {
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Email */
            email: string;
            /**
             * Id
             * Format: uuid
             */
            id: string;
            /** Last Signin At */
            last_signin_at: string | null;
            /** Name */
            name: string;
            /**
             * Organisation Id
             * Format: uuid
             */
            organisation_id: string;
            role: components["schemas"]["Role"];
            status: components["schemas"]["AccountStatus"];
            /** Teams */
            teams: string[];
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
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
    list_audit_api_v1_admin_audit_get: {
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
                    "application/json": components["schemas"]["Page_AuditInfo_"];
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
    list_organisations_api_v1_admin_organisations_get: {
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
                    "application/json": components["schemas"]["Page_OrganisationInfo_"];
                };
            };
        };
    };
    list_teams_api_v1_admin_teams_get: {
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
                    "application/json": components["schemas"]["Page_TeamInfo_"];
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
    list_users_api_v1_admin_users_get: {
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
                    "application/json": components["schemas"]["Page_UserDetail_"];
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
    delete_user_api_v1_admin_users__user_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: string;
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
    change_user_api_v1_admin_users__user_id__patch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserChange"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserDetail"];
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
    list_keys_api_v1_auth_api_keys_get: {
        parameters: {
            query?: {
                /** @description rows at most */
                limit?: number;
                /** @description id of the last key already seen */
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
                    "application/json": components["schemas"]["Page_KeyInfo_"];
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
    create_key_api_v1_auth_api_keys_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewKey"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedKey"];
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
    delete_key_api_v1_auth_api_keys__key_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                key_id: string;
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
    rotate_key_api_v1_auth_api_keys__key_id__rotate_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                key_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RotateKey"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedKey"];
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
    auth_config_api_v1_auth_config_get: {
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
                    "application/json": components["schemas"]["AuthConfig"];
                };
            };
        };
    };
    jwks_api_v1_auth_jwks_get: {
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
                    "application/json": components["schemas"]["JsonWebKeySet"];
                };
            };
        };
    };
    me_api_v1_auth_me_get: {
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
                    "application/json": components["schemas"]["Me"];
                };
            };
        };
    };
    change_password_api_v1_auth_password_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordChange"];
            };
        };
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
    refresh_api_v1_auth_refresh_post: {
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
                    "application/json": components["schemas"]["SignedIn"];
                };
            };
        };
    };
    list_sessions_api_v1_auth_sessions_get: {
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
                    "application/json": components["schemas"]["Page_SessionInfo_"];
                };
            };
        };
    };
    revoke_session_api_v1_auth_sessions__session_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: string;
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
    sign_in_api_v1_auth_signin_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SignIn"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignedIn"];
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
    sign_out_api_v1_auth_signout_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
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
        };
    };
    sign_up_api_v1_auth_signup_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SignUp"];
            };
        };
        responses: {
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignedIn"];
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
    swap_key_api_v1_auth_token_post: {
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
                    "application/json": components["schemas"]["AccessToken"];
                };
            };
        };
    };
    document_api_v1_openapi_json_get: {
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
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    status_api_v1_status_get: {
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
                    "application/json": components["schemas"]["InstallationStatus"];
                };
            };
        };
    };
    health_health_get: {
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
                    "application/json": components["schemas"]["Alive"];
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
