-- The tables of schema billing.
-- Money is integer nano-USD in BIGINT; a sum of products is NUMERIC and becomes BIGINT once, rounded up.

CREATE TABLE schema_info (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    min_code integer NOT NULL
);

INSERT INTO schema_info (min_code) VALUES (1);

-- Sets of words as domains: a CHECK of the table would be parsed anew by every statement that writes a row, whatever it writes.
CREATE DOMAIN account_kind AS text CHECK (VALUE IN
    ('wallet', 'held', 'usage_revenue', 'provider_cost', 'grant', 'payment', 'expired', 'rounding', 'house_loss'));

CREATE DOMAIN transfer_reason AS text CHECK (VALUE IN
    ('grant', 'top_up', 'hold', 'charge', 'return', 'release', 'expire', 'late_charge', 'late_confirm', 'late_refund', 'house_loss'));

CREATE DOMAIN hold_state AS text CHECK (VALUE IN ('held', 'settled', 'released', 'expired'));

CREATE DOMAIN usage_source AS text CHECK (VALUE IN ('provider', 'partial', 'tokenizer', 'reconciled'));

CREATE DOMAIN usage_outcome AS text CHECK (VALUE IN ('complete', 'stopped', 'failed', 'expired'));

-- A price version. Its amounts never change; a new price closes the old one's range (only effective_to may be updated).
CREATE TABLE price (
    id                          uuid PRIMARY KEY DEFAULT uuidv7(),
    model                       text NOT NULL CHECK (length(model) BETWEEN 1 AND 200),
    free                        boolean NOT NULL DEFAULT false,
    input_nano_per_mtok         bigint NOT NULL CHECK (input_nano_per_mtok BETWEEN 0 AND 1000000000000000),
    cache_read_nano_per_mtok    bigint NOT NULL CHECK (cache_read_nano_per_mtok BETWEEN 0 AND 1000000000000000),
    cache_write_nano_per_mtok   bigint NOT NULL CHECK (cache_write_nano_per_mtok BETWEEN 0 AND 1000000000000000),
    audio_in_nano_per_mtok      bigint NOT NULL CHECK (audio_in_nano_per_mtok BETWEEN 0 AND 1000000000000000),
    output_nano_per_mtok        bigint NOT NULL CHECK (output_nano_per_mtok BETWEEN 0 AND 1000000000000000),
    reasoning_nano_per_mtok     bigint NOT NULL CHECK (reasoning_nano_per_mtok BETWEEN 0 AND 1000000000000000),
    audio_out_nano_per_mtok     bigint NOT NULL CHECK (audio_out_nano_per_mtok BETWEEN 0 AND 1000000000000000),
    -- The dearest bucket on each side: a hold priced with these is a true bound whatever the provider reports.
    input_bound_nano_per_mtok   bigint NOT NULL GENERATED ALWAYS AS (greatest(
        input_nano_per_mtok, cache_read_nano_per_mtok, cache_write_nano_per_mtok, audio_in_nano_per_mtok)) STORED,
    output_bound_nano_per_mtok  bigint NOT NULL GENERATED ALWAYS AS (greatest(
        output_nano_per_mtok, reasoning_nano_per_mtok, audio_out_nano_per_mtok)) STORED,
    effective_from              timestamptz NOT NULL,
    effective_to                timestamptz,
    source                      text NOT NULL CHECK (source IN ('seed', 'admin')),
    created_by                  uuid,
    created_at                  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT price_range_not_empty CHECK (effective_to IS NULL OR effective_to > effective_from),
    CONSTRAINT price_free_is_zero CHECK (NOT free OR (input_nano_per_mtok = 0 AND cache_read_nano_per_mtok = 0
        AND cache_write_nano_per_mtok = 0 AND audio_in_nano_per_mtok = 0 AND output_nano_per_mtok = 0
        AND reasoning_nano_per_mtok = 0 AND audio_out_nano_per_mtok = 0)),
    CONSTRAINT price_ranges_do_not_overlap EXCLUDE USING gist (model WITH =, tstzrange(effective_from, effective_to) WITH &&)
);

CREATE INDEX price_by_model ON price (model, effective_from DESC);

-- balance = credits - debits. HOT updates need free room in the page, hence the fill factor here and below.
CREATE TABLE account (
    id              uuid PRIMARY KEY DEFAULT uuidv7(),
    organisation_id uuid NOT NULL,
    kind            account_kind NOT NULL,
    balance_nano    bigint NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT account_one_per_kind UNIQUE (organisation_id, kind),
    CONSTRAINT account_never_overdrawn CHECK (kind NOT IN ('wallet', 'held', 'expired') OR balance_nano >= 0)
) WITH (fillfactor = 50);

-- The accounts of one organisation in one row, so that the hot path finds them with one index look-up.
CREATE TABLE book (
    organisation_id  uuid PRIMARY KEY,
    wallet_id        uuid NOT NULL REFERENCES account,
    held_id          uuid NOT NULL REFERENCES account,
    usage_revenue_id uuid NOT NULL REFERENCES account,
    grant_id         uuid NOT NULL REFERENCES account,
    payment_id       uuid NOT NULL REFERENCES account,
    expired_id       uuid NOT NULL REFERENCES account,
    house_loss_id    uuid NOT NULL REFERENCES account,
    created_at       timestamptz NOT NULL DEFAULT now()
);

-- The ledger: one immutable row per transfer. UPDATE and DELETE are revoked from the service role below.
CREATE TABLE transfer (
    id              uuid NOT NULL DEFAULT uuidv7(),
    at              timestamptz NOT NULL DEFAULT now(),
    organisation_id uuid NOT NULL,
    debit_account   uuid NOT NULL,
    credit_account  uuid NOT NULL,
    amount_nano     bigint NOT NULL,
    reason          transfer_reason NOT NULL,
    transaction_id  text NOT NULL,
    PRIMARY KEY (id, at),
    CONSTRAINT transfer_two_accounts CHECK (debit_account <> credit_account),
    CONSTRAINT transfer_amount_positive CHECK (amount_nano > 0)
) PARTITION BY RANGE (at);

CREATE INDEX transfer_by_organisation ON transfer (organisation_id, id);

CREATE TABLE transfer_default PARTITION OF transfer DEFAULT;

CREATE TABLE budget (
    id              uuid PRIMARY KEY DEFAULT uuidv7(),
    organisation_id uuid NOT NULL,
    scope           text NOT NULL CHECK (scope IN ('organisation', 'team', 'user', 'key')),
    scope_id        uuid NOT NULL,
    "window"        text NOT NULL CHECK ("window" IN ('hour', 'day', 'week', 'month', 'total')),
    limit_nano      bigint NOT NULL CHECK (limit_nano >= 0),
    is_default      boolean NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT budget_one_per_window UNIQUE (organisation_id, scope_id, scope, "window")
);

-- One row per (budget, window_start): windows need no reset job. limit_nano >= the budget's limit whenever it admits, so the
-- CHECK is invariant I1 enforced by the database itself.
CREATE TABLE budget_window (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    budget_id    uuid NOT NULL REFERENCES budget ON DELETE CASCADE,
    window_start timestamptz NOT NULL,
    limit_nano   bigint NOT NULL,
    spent_nano   bigint NOT NULL DEFAULT 0 CHECK (spent_nano >= 0),
    held_nano    bigint NOT NULL DEFAULT 0 CHECK (held_nano >= 0),
    CONSTRAINT budget_window_once UNIQUE (budget_id, window_start),
    CONSTRAINT budget_window_within_limit CHECK (spent_nano + held_nano <= limit_nano)
) WITH (fillfactor = 50);

-- One row per dispatch to a provider. Terminal rows keep the first result, so that a repeated settle returns it.
CREATE TABLE hold (
    request_id         uuid PRIMARY KEY,
    state              hold_state NOT NULL,
    organisation_id    uuid NOT NULL,
    team_id            uuid NOT NULL,
    user_id            uuid NOT NULL,
    key_id             uuid,
    model              text NOT NULL,
    provider           text NOT NULL,
    kind               text NOT NULL,
    free               boolean NOT NULL,
    price_id           uuid NOT NULL,  -- no foreign key: its check would lock the one hot price row in every reserve; prices are never deleted
    amount_nano        bigint NOT NULL CHECK (amount_nano >= 0),
    input_tokens_max   bigint NOT NULL,
    input_tokens_floor bigint NOT NULL,
    output_tokens_max  bigint NOT NULL,
    choices            integer NOT NULL,
    window_ids         bigint[] NOT NULL,
    checkpoint_output_tokens bigint NOT NULL DEFAULT 0,
    ttl_s              double precision NOT NULL,
    created_at         timestamptz NOT NULL,
    expires_at         timestamptz NOT NULL,
    ended_at           timestamptz,
    event_at           timestamptz,
    cost_nano          bigint NOT NULL DEFAULT 0,
    house_loss_nano    bigint NOT NULL DEFAULT 0,
    input_tokens       bigint NOT NULL DEFAULT 0,
    output_tokens      bigint NOT NULL DEFAULT 0,
    late               boolean NOT NULL DEFAULT false,
    CONSTRAINT hold_charge_within_hold CHECK (cost_nano <= amount_nano)
) WITH (fillfactor = 70);

-- Not on expires_at: a checkpoint moves that each second, and an indexed column would make each one a cold update.
CREATE INDEX hold_open ON hold (created_at) WHERE state = 'held';

CREATE INDEX hold_ended ON hold (ended_at) WHERE state <> 'held';

-- Dedupe outside the partitioned tables: a unique key there must hold the partition column, which a retry may not repeat.
CREATE TABLE usage_key (
    tenant         uuid NOT NULL,
    transaction_id text NOT NULL,
    PRIMARY KEY (tenant, transaction_id)
);

-- The usage event of the platform's contract (customer_id, timestamp, model, provider, tokens_*, cost_usd, request_id, user_id)
-- with exact money and buckets. cost_usd is derived from cost_nano when it is written out.
CREATE TABLE usage_event (
    request_id         uuid NOT NULL,
    "timestamp"        timestamptz NOT NULL,
    customer_id        uuid NOT NULL,
    team_id            uuid NOT NULL,
    user_id            uuid NOT NULL,
    key_id             uuid,
    model              text NOT NULL,
    provider           text NOT NULL,
    tokens_input       bigint NOT NULL,
    tokens_output      bigint NOT NULL,
    input_tokens       bigint NOT NULL,
    cache_read_tokens  bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    audio_in_tokens    bigint NOT NULL,
    output_tokens      bigint NOT NULL,
    reasoning_tokens   bigint NOT NULL,
    audio_out_tokens   bigint NOT NULL,
    cost_nano          bigint NOT NULL,
    house_loss_nano    bigint NOT NULL,
    price_version      uuid NOT NULL,
    source             usage_source NOT NULL,
    outcome            usage_outcome NOT NULL,
    latency_ms         integer,
    PRIMARY KEY (request_id, "timestamp"),
    CONSTRAINT usage_event_input_sums CHECK (tokens_input = input_tokens + cache_read_tokens + cache_write_tokens + audio_in_tokens),
    CONSTRAINT usage_event_output_sums CHECK (tokens_output = output_tokens + reasoning_tokens + audio_out_tokens)
) PARTITION BY RANGE ("timestamp");

CREATE INDEX usage_event_by_customer ON usage_event (customer_id, request_id DESC);

CREATE INDEX usage_event_by_user ON usage_event (user_id, request_id DESC);

CREATE TABLE usage_event_default PARTITION OF usage_event DEFAULT;

CREATE TABLE usage_rollup (
    day             date NOT NULL,
    organisation_id uuid NOT NULL,
    user_id         uuid NOT NULL,
    team_id         uuid NOT NULL,
    key_id          uuid,
    model           text NOT NULL,
    requests        bigint NOT NULL,
    input_tokens    bigint NOT NULL,
    output_tokens   bigint NOT NULL,
    cost_nano       bigint NOT NULL,
    house_loss_nano bigint NOT NULL,
    CONSTRAINT usage_rollup_once UNIQUE NULLS NOT DISTINCT (organisation_id, user_id, day, model, team_id, key_id)
) WITH (fillfactor = 60);

CREATE INDEX usage_rollup_by_day ON usage_rollup (organisation_id, day);

-- Who changed a price, a budget or a wallet, and from what to what.
CREATE TABLE audit (
    id              uuid PRIMARY KEY DEFAULT uuidv7(),
    at              timestamptz NOT NULL DEFAULT now(),
    organisation_id uuid,
    actor_id        uuid,
    action          text NOT NULL,
    object_id       text NOT NULL,
    before          jsonb,
    after           jsonb
);

CREATE INDEX audit_by_organisation ON audit (organisation_id, id);

-- A hold at its end: what it was, and what it turned out to have used. buckets: input, cache read, cache write, audio in,
-- output, reasoning, audio out.
CREATE TYPE ended_hold AS (
    call integer, was hold, at timestamptz, total_nano bigint, cost_nano bigint, buckets bigint[],
    input_tokens bigint, output_tokens bigint, source text, outcome text, latency_ms integer
);
