-- Usage that did not pass through a hold: recorded by hand, or found in a provider's own figures.

CREATE TABLE external_usage (
    organisation_id uuid NOT NULL,
    transaction_id  text NOT NULL CHECK (length(transaction_id) BETWEEN 1 AND 200),
    source          text NOT NULL CHECK (source IN ('manual', 'openrouter')),
    user_id         uuid,
    model           text NOT NULL CHECK (length(model) BETWEEN 1 AND 200),
    input_tokens    bigint NOT NULL CHECK (input_tokens >= 0),
    output_tokens   bigint NOT NULL CHECK (output_tokens >= 0),
    requests        bigint NOT NULL CHECK (requests >= 0),
    cost_nano       bigint NOT NULL CHECK (cost_nano >= 0),
    charged         boolean NOT NULL,
    occurred_at     timestamptz NOT NULL,
    recorded_by     uuid,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organisation_id, transaction_id)
);

CREATE INDEX external_usage_by_time ON external_usage (organisation_id, occurred_at);

-- Dispatches whose provider keeps figures of its own under an id of its own: what it said at once, and what it billed later.
CREATE TABLE provider_call (
    provider_request_id text PRIMARY KEY CHECK (length(provider_request_id) BETWEEN 1 AND 200),
    request_id          uuid NOT NULL,
    model               text NOT NULL,
    occurred_at         timestamptz NOT NULL,
    reported_nano       bigint CHECK (reported_nano >= 0),
    billed_nano         bigint CHECK (billed_nano >= 0),
    billed_model        text,
    input_tokens        bigint,
    output_tokens       bigint,
    billed_at           timestamptz,
    attempts            integer NOT NULL DEFAULT 0,
    next_attempt_at     timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX provider_call_open ON provider_call (next_attempt_at) WHERE billed_nano IS NULL;
CREATE INDEX provider_call_by_time ON provider_call (occurred_at);

-- One row: what the synchronisation with OpenRouter did last, and where the next run continues.
CREATE TABLE openrouter_sync (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    state        text NOT NULL DEFAULT 'idle' CHECK (state IN ('idle', 'requested', 'running', 'waiting')),
    days_back    integer NOT NULL DEFAULT 1,
    next_day     date,
    started_at   timestamptz,
    finished_at  timestamptz,
    next_run_at  timestamptz NOT NULL DEFAULT now(),
    generations  bigint NOT NULL DEFAULT 0,
    days         bigint NOT NULL DEFAULT 0,
    error        text
);

INSERT INTO openrouter_sync DEFAULT VALUES;
