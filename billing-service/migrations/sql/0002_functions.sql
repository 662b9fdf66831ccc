-- A hold that was never begun costs nothing; default budgets have a ceiling together; totals of the past are kept once checked.

-- Whether bytes left for the provider: the dispatcher checkpoints a hold as it sends them, and each checkpoint renews it.
CREATE FUNCTION hold_begun(p_hold hold) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT p_hold.expires_at > p_hold.created_at + make_interval(secs => p_hold.ttl_s)
$$;

-- Expire one hold whose time is over: charge its checkpoint, or the input floor when there is none, to the provisional account
-- `expired`, return the rest; nothing when it was never begun. One hold a call, because a transaction may touch one organisation
-- only. false: nothing to do.
CREATE OR REPLACE FUNCTION expire_hold(p_request_id uuid, p_now timestamptz DEFAULT clock_timestamp()) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_hold hold;
    v_price price;
    v_book book;
    v_cost bigint := 0;
    v_input bigint := 0;
    v_output bigint := 0;
BEGIN
    SELECT * INTO v_hold FROM hold h WHERE h.request_id = p_request_id AND h.state = 'held' AND h.expires_at <= p_now
    FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF hold_begun(v_hold) THEN
        v_input := v_hold.input_tokens_floor;
        v_output := least(v_hold.checkpoint_output_tokens, v_hold.output_tokens_max * v_hold.choices);
    END IF;
    IF NOT v_hold.free THEN
        SELECT * INTO v_price FROM price p WHERE p.id = v_hold.price_id;
        v_cost := least(token_cost_nano(v_price, v_input, 0, 0, 0, v_output, 0, 0), v_hold.amount_nano);
        SELECT * INTO v_book FROM book k WHERE k.organisation_id = v_hold.organisation_id;
        UPDATE account a SET balance_nano = a.balance_nano + v_hold.amount_nano - v_cost WHERE a.id = v_book.wallet_id;
        PERFORM move_windows(v_hold.window_ids, v_hold.amount_nano, v_cost);
        UPDATE account a SET balance_nano = a.balance_nano - v_hold.amount_nano WHERE a.id = v_book.held_id;
        UPDATE account a SET balance_nano = a.balance_nano + v_cost WHERE a.id = v_book.expired_id;
        INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
        SELECT v_hold.organisation_id, v_book.held_id, t.credit, t.amount, t.reason, p_request_id::text
        FROM (VALUES (v_book.expired_id, v_cost, 'expire'),
                     (v_book.wallet_id, v_hold.amount_nano - v_cost, 'return')) AS t (credit, amount, reason)
        WHERE t.amount > 0;
    END IF;
    PERFORM record_usage(ARRAY[ROW(1, v_hold, v_hold.created_at, v_cost, v_cost, ARRAY[v_input, 0, 0, 0, v_output, 0, 0],
        v_input, v_output, 'partial', 'expired', NULL)::ended_hold]);
    UPDATE hold h SET state = 'expired', ended_at = clock_timestamp(), event_at = v_hold.created_at, cost_nano = v_cost,
        input_tokens = v_input, output_tokens = v_output
    WHERE h.request_id = p_request_id;
    RETURN true;
END $$;

-- What the operator set for all organisations; a row that is missing means no bound.
CREATE TABLE policy (
    name        text PRIMARY KEY,
    amount_nano bigint NOT NULL CHECK (amount_nano >= 0)
);

-- The monthly budget every person has until an administrator sets one, as far as the ceiling of all of them together reaches.
-- p_limit_nano NULL: none by policy.
CREATE OR REPLACE FUNCTION ensure_default_budget(p_organisation_id uuid, p_user_id uuid, p_limit_nano bigint) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO budget (organisation_id, scope, scope_id, "window", limit_nano, is_default)
    SELECT p_organisation_id, 'user', p_user_id, 'month', greatest(0, least(p_limit_nano, c.amount_nano - g.given_nano)), true
    FROM (SELECT coalesce(sum(b.limit_nano), 0)::bigint AS given_nano FROM budget b
          WHERE b.organisation_id = p_organisation_id AND b.is_default) AS g
    LEFT JOIN policy c ON c.name = 'default_budgets_max'
    WHERE p_limit_nano IS NOT NULL
    ON CONFLICT DO NOTHING
$$;

CREATE INDEX budget_default ON budget (organisation_id, id) WHERE is_default;

-- Bring the budgets that nobody set to the settings of today, the oldest first. Windows only widen, so no hold breaks.
-- p_limit_nano NULL removes them; p_max_nano NULL: no ceiling.
CREATE FUNCTION apply_default_budgets(p_limit_nano bigint, p_max_nano bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    IF p_max_nano IS NULL THEN
        DELETE FROM policy WHERE name = 'default_budgets_max';
    ELSE
        INSERT INTO policy VALUES ('default_budgets_max', p_max_nano)
        ON CONFLICT (name) DO UPDATE SET amount_nano = excluded.amount_nano;
    END IF;
    IF p_limit_nano IS NULL THEN
        DELETE FROM budget WHERE is_default;
        RETURN;
    END IF;
    FOR r IN
        SELECT * FROM (
            SELECT b.organisation_id, b.scope, b.scope_id, b."window", b.limit_nano, greatest(0, least(p_limit_nano,
                p_max_nano - p_limit_nano * (row_number() OVER (PARTITION BY b.organisation_id ORDER BY b.id) - 1)))::bigint AS due_nano
            FROM budget b WHERE b.is_default) AS d
        WHERE d.limit_nano <> d.due_nano ORDER BY d.organisation_id, d.scope_id
    LOOP
        PERFORM set_budget(r.organisation_id, r.scope, r.scope_id, r."window", r.due_nano, true);
    END LOOP;
END $$;

-- How far each check of the ledger has come: everything before `until` was right and is summed up in checked_total.
CREATE TABLE invariant_check (
    name       text PRIMARY KEY,
    until      timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',
    checked_at timestamptz
);

CREATE TABLE checked_balance (
    account     uuid PRIMARY KEY,
    amount_nano numeric NOT NULL
);

-- Balances against the sum of entries: entries never change, so those before p_until are added up once. Returns the accounts that
-- do not agree; only when there are none does the mark move on.
CREATE FUNCTION check_balances(p_until timestamptz) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_from timestamptz;
    v_wrong uuid[];
BEGIN
    INSERT INTO invariant_check (name) VALUES ('balances') ON CONFLICT DO NOTHING;
    SELECT c.until INTO v_from FROM invariant_check c WHERE c.name = 'balances' FOR UPDATE;
    -- One statement, one snapshot: a running system never looks broken.
    WITH recent AS MATERIALIZED (
        SELECT l.account, sum(l.amount) AS amount, coalesce(sum(l.amount) FILTER (WHERE t.at < p_until), 0) AS settled
        FROM transfer t
        CROSS JOIN LATERAL (VALUES (t.credit_account, t.amount_nano), (t.debit_account, -t.amount_nano)) AS l (account, amount)
        WHERE t.at >= v_from GROUP BY l.account
    ), compared AS (
        SELECT coalesce(a.id, b.account, r.account) AS account, r.settled,
               coalesce(a.balance_nano, 0) <> coalesce(b.amount_nano, 0) + coalesce(r.amount, 0) AS wrong
        FROM account a
        FULL JOIN checked_balance b ON b.account = a.id
        FULL JOIN recent r ON r.account = coalesce(a.id, b.account)
    ), kept AS (
        INSERT INTO checked_balance AS k (account, amount_nano)
        SELECT c.account, c.settled FROM compared c
        WHERE c.settled <> 0 AND p_until > v_from AND NOT EXISTS (SELECT FROM compared w WHERE w.wrong)
        ON CONFLICT (account) DO UPDATE SET amount_nano = k.amount_nano + excluded.amount_nano
    )
    SELECT array_agg(c.account) INTO v_wrong FROM compared c WHERE c.wrong;
    IF v_wrong IS NULL AND p_until > v_from THEN
        UPDATE invariant_check SET until = p_until WHERE name = 'balances';
    END IF;
    RETURN QUERY SELECT unnest(v_wrong);
END $$;

-- Whether the checks are due: true for one caller in each p_interval_s, whichever process it is in.
CREATE FUNCTION begin_checks(p_interval_s double precision) RETURNS boolean LANGUAGE sql AS $$
    INSERT INTO invariant_check AS c (name, checked_at) VALUES ('all', clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET checked_at = excluded.checked_at
    WHERE c.checked_at < excluded.checked_at - make_interval(secs => p_interval_s)
    RETURNING true
$$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'billing_app') THEN
        REVOKE DELETE, TRUNCATE ON invariant_check, checked_balance FROM billing_app;
    END IF;
END $$;
