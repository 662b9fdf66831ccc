-- The money path: reserve, settle, release, checkpoint, expire, top-up. Run with the caller's rights.
--
-- Lock order, everywhere: hold row -> wallet row of the organisation -> windows by id -> other accounts -> roll-up. The wallet
-- row is the gate: whoever touches an account or a window of an organisation holds it, so no two transactions can wait in a ring.
-- A transaction never touches two organisations. Holds are inserted last.
--
-- reserve_many and settle_many take a batch, so that calls which would queue for the gate share a transaction and its flush. They
-- are planned once a session: planning anew for each batch took as long as running it, and a plan made while a table was small
-- must not scan it when it is large.

CREATE FUNCTION window_start(p_window text, p_at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN p_window = 'total' THEN timestamptz '1970-01-01 00:00:00+00' ELSE date_trunc(p_window, p_at, 'UTC') END
$$;

CREATE FUNCTION window_end(p_window text, p_start timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE p_window
        WHEN 'hour' THEN p_start + interval '1 hour'
        WHEN 'day' THEN (p_start AT TIME ZONE 'UTC' + interval '1 day') AT TIME ZONE 'UTC'
        WHEN 'week' THEN (p_start AT TIME ZONE 'UTC' + interval '7 days') AT TIME ZONE 'UTC'
        WHEN 'month' THEN (p_start AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'
    END
$$;

-- Cost in nano-USD of exclusive token buckets: NUMERIC inside, rounded up exactly once. (a + 999999) div 1000000 instead of
-- ceil(a / 1000000), because NUMERIC division rounds its quotient and could lose a remainder.
CREATE FUNCTION token_cost_nano(p_price price, p_input bigint, p_cache_read bigint, p_cache_write bigint, p_audio_in bigint,
                                p_output bigint, p_reasoning bigint, p_audio_out bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT div(p_input::numeric * (p_price).input_nano_per_mtok
        + p_cache_read::numeric * (p_price).cache_read_nano_per_mtok
        + p_cache_write::numeric * (p_price).cache_write_nano_per_mtok
        + p_audio_in::numeric * (p_price).audio_in_nano_per_mtok
        + p_output::numeric * (p_price).output_nano_per_mtok
        + p_reasoning::numeric * (p_price).reasoning_nano_per_mtok
        + p_audio_out::numeric * (p_price).audio_out_nano_per_mtok + 999999, 1000000)
$$;

-- The accounts of an organisation, with its starting grant, made once however many callers race.
CREATE FUNCTION open_book(p_organisation_id uuid, p_grant_nano bigint) RETURNS book
LANGUAGE plpgsql AS $$
DECLARE
    v_book book;
BEGIN
    INSERT INTO account (organisation_id, kind)
    SELECT p_organisation_id, k FROM unnest(ARRAY['wallet', 'held', 'usage_revenue', 'provider_cost', 'grant', 'payment',
                                                 'expired', 'rounding', 'house_loss']) AS k
    ON CONFLICT DO NOTHING;
    INSERT INTO book (organisation_id, wallet_id, held_id, usage_revenue_id, grant_id, payment_id, expired_id, house_loss_id)
    SELECT p_organisation_id, (m ->> 'wallet')::uuid, (m ->> 'held')::uuid, (m ->> 'usage_revenue')::uuid, (m ->> 'grant')::uuid,
           (m ->> 'payment')::uuid, (m ->> 'expired')::uuid, (m ->> 'house_loss')::uuid
    FROM (SELECT jsonb_object_agg(kind, id) AS m FROM account WHERE organisation_id = p_organisation_id) AS accounts
    ON CONFLICT DO NOTHING;
    SELECT * INTO v_book FROM book WHERE organisation_id = p_organisation_id;
    IF p_grant_nano > 0 THEN
        INSERT INTO usage_key VALUES (p_organisation_id, 'grant:' || p_organisation_id) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            UPDATE account SET balance_nano = balance_nano + p_grant_nano WHERE id = v_book.wallet_id;
            UPDATE account SET balance_nano = balance_nano - p_grant_nano WHERE id = v_book.grant_id;
            INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
            VALUES (p_organisation_id, v_book.grant_id, v_book.wallet_id, p_grant_nano, 'grant', 'grant:' || p_organisation_id);
        END IF;
    END IF;
    RETURN v_book;
END $$;

-- The monthly budget every person has until an administrator sets one. p_limit_nano NULL: none by policy.
CREATE FUNCTION ensure_default_budget(p_organisation_id uuid, p_user_id uuid, p_limit_nano bigint) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO budget (organisation_id, scope, scope_id, "window", limit_nano, is_default)
    SELECT p_organisation_id, 'user', p_user_id, 'month', p_limit_nano, true WHERE p_limit_nano IS NOT NULL
    ON CONFLICT DO NOTHING
$$;

-- What is left to a principal: the least of the wallet and of each budget's current window.
CREATE FUNCTION remaining_nano(p_organisation_id uuid, p_team_id uuid, p_user_id uuid, p_key_id uuid, p_at timestamptz)
RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT greatest(0, least(
        (SELECT a.balance_nano FROM book k JOIN account a ON a.id = k.wallet_id WHERE k.organisation_id = p_organisation_id),
        (SELECT min(b.limit_nano - coalesce(w.spent_nano + w.held_nano, 0))
         FROM budget b LEFT JOIN budget_window w ON w.budget_id = b.id AND w.window_start = window_start(b."window", p_at)
         WHERE b.organisation_id = p_organisation_id AND b.scope_id IN (p_organisation_id, p_team_id, p_user_id, p_key_id))))
$$;

-- Hold the most each of many dispatches of one organisation can cost, on the wallet and on every budget that applies, or say
-- which limit refuses. One row a call, `call` counts from 1; earlier calls come first, and a refused one leaves its neighbours alone.
-- outcome: held | price_unknown | insufficient_credits | budget_exceeded | request_id_reused. A repeat of the same
-- reservation while it is held returns it. Amounts move only when outcome is held.
CREATE FUNCTION reserve_many(
    p_organisation_id uuid, p_request_ids uuid[], p_team_ids uuid[], p_user_ids uuid[], p_key_ids uuid[],
    p_models text[], p_providers text[], p_kinds text[],
    p_input_tokens_max bigint[], p_input_tokens_floor bigint[], p_output_tokens_max bigint[], p_choices integer[],
    p_output_tokens_min bigint, p_ttl_s double precision, p_grant_nano bigint, p_default_budget_nano bigint,
    p_now timestamptz DEFAULT now())
RETURNS TABLE (call integer, outcome text, amount_nano bigint, price_version uuid, granted_output_tokens bigint, free boolean,
    expires_at timestamptz, remaining_nano bigint,
    scope text, scope_id uuid, limit_nano bigint, spent_nano bigint, held_nano bigint, resets_at timestamptz)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_book book;
    v_clock timestamptz := clock_timestamp();
    v_wallet_nano bigint;
    v_total_nano bigint := 0;
    v_headroom bigint;
    v_input_num numeric;
    v_unit_num numeric;
    v_holds hold[] := '{}';
    v_slot integer;
    v_tightest integer;
    -- The budgets of everybody in this batch, one slot each.
    v_window_ids bigint[];
    v_scope_ids uuid[];
    v_left bigint[];
    v_spent bigint[];
    v_limits bigint[];
    v_scopes text[];
    v_resets timestamptz[];
    v_added bigint[];
    c record;
BEGIN
    SELECT k.* INTO v_book FROM book k WHERE k.organisation_id = p_organisation_id;
    IF NOT FOUND AND EXISTS (SELECT FROM price p WHERE p.model = ANY (p_models) AND NOT p.free
                             AND p.effective_from <= p_now AND (p.effective_to IS NULL OR p.effective_to > p_now)) THEN
        v_book := open_book(p_organisation_id, p_grant_nano);
    END IF;
    IF v_book.wallet_id IS NOT NULL THEN
        SELECT a.balance_nano INTO v_wallet_nano FROM account a WHERE a.id = v_book.wallet_id FOR NO KEY UPDATE;
        -- Read under the gate: nobody else can move these until this transaction ends.
        IF p_default_budget_nano IS NOT NULL THEN
            PERFORM ensure_default_budget(p_organisation_id, u.id, p_default_budget_nano) FROM unnest(p_user_ids) AS u (id)
            WHERE NOT EXISTS (SELECT FROM budget b WHERE b.organisation_id = p_organisation_id AND b.scope_id = u.id
                              AND b.scope = 'user' AND b."window" = 'month');
        END IF;
        LOOP
            SELECT array_agg(w.id), array_agg(b.scope_id), array_agg(b.limit_nano - w.spent_nano - w.held_nano), array_agg(w.spent_nano),
                   array_agg(b.limit_nano), array_agg(b.scope), array_agg(window_end(b."window", s.start)), array_agg(0::bigint)
            INTO v_window_ids, v_scope_ids, v_left, v_spent, v_limits, v_scopes, v_resets, v_added
            FROM budget b
            CROSS JOIN LATERAL (SELECT window_start(b."window", p_now) AS start) AS s
            LEFT JOIN budget_window w ON w.budget_id = b.id AND w.window_start = s.start
            WHERE b.organisation_id = p_organisation_id
              AND b.scope_id = ANY (p_organisation_id || p_team_ids || p_user_ids || p_key_ids);
            EXIT WHEN v_window_ids IS NULL OR array_position(v_window_ids, NULL) IS NULL;
            INSERT INTO budget_window (budget_id, window_start, limit_nano)
            SELECT b.id, window_start(b."window", p_now), b.limit_nano FROM budget b
            WHERE b.organisation_id = p_organisation_id
              AND b.scope_id = ANY (p_organisation_id || p_team_ids || p_user_ids || p_key_ids)
            ON CONFLICT DO NOTHING;
        END LOOP;
    END IF;

    FOR c IN
        SELECT u.*, p.id AS price_id, p.free, p.input_bound_nano_per_mtok AS input_price, p.output_bound_nano_per_mtok AS output_price,
               h AS earlier,
               ARRAY(SELECT l.slot::integer FROM unnest(v_scope_ids) WITH ORDINALITY AS l (scope_id, slot)
                     WHERE l.scope_id IN (p_organisation_id, u.team_id, u.user_id, u.key_id)) AS slots
        FROM unnest(p_request_ids, p_team_ids, p_user_ids, p_key_ids, p_models, p_providers, p_kinds, p_input_tokens_max,
                    p_input_tokens_floor, p_output_tokens_max, p_choices) WITH ORDINALITY
            AS u (request_id, team_id, user_id, key_id, model, provider, kind, input_max, input_floor, output_max, choices, call)
        LEFT JOIN price p ON p.model = u.model AND p.effective_from <= p_now AND (p.effective_to IS NULL OR p.effective_to > p_now)
        LEFT JOIN hold h ON h.request_id = u.request_id
        ORDER BY u.call
    LOOP
        call := c.call; price_version := NULL; free := NULL; expires_at := NULL; amount_nano := NULL; granted_output_tokens := NULL;
        remaining_nano := NULL; scope := NULL; scope_id := NULL; limit_nano := NULL; spent_nano := NULL; held_nano := NULL; resets_at := NULL;
        IF (c.earlier).request_id IS NOT NULL THEN
            IF (c.earlier).state <> 'held' OR (c.earlier).organisation_id <> p_organisation_id OR (c.earlier).user_id <> c.user_id
               OR (c.earlier).model <> c.model OR (c.earlier).input_tokens_max <> c.input_max THEN
                outcome := 'request_id_reused';
            ELSE
                outcome := 'held'; amount_nano := (c.earlier).amount_nano; price_version := (c.earlier).price_id;
                free := (c.earlier).free; granted_output_tokens := (c.earlier).output_tokens_max; expires_at := (c.earlier).expires_at;
                remaining_nano := remaining_nano(p_organisation_id, c.team_id, c.user_id, c.key_id, p_now);
            END IF;
            RETURN NEXT;
            CONTINUE;
        END IF;
        IF c.price_id IS NULL THEN
            outcome := 'price_unknown';
            RETURN NEXT;
            CONTINUE;
        END IF;
        price_version := c.price_id; free := c.free; expires_at := v_clock + make_interval(secs => p_ttl_s);
        granted_output_tokens := c.output_max; amount_nano := 0;
        v_headroom := v_wallet_nano; v_tightest := NULL;
        FOREACH v_slot IN ARRAY c.slots LOOP
            IF v_left[v_slot] < v_headroom THEN
                v_headroom := v_left[v_slot]; v_tightest := v_slot;
            END IF;
        END LOOP;
        IF NOT free THEN
            v_input_num := c.input_max::numeric * c.input_price;
            v_unit_num := c.choices::numeric * c.output_price;
            IF v_input_num + v_unit_num * c.output_max > v_headroom::numeric * 1000000 THEN
                -- What the headroom buys; -1 when not even the input fits.
                granted_output_tokens := CASE WHEN v_input_num > v_headroom::numeric * 1000000 OR v_unit_num = 0 THEN -1
                    ELSE div(v_headroom::numeric * 1000000 - v_input_num, v_unit_num) END;
                IF granted_output_tokens < least(c.output_max, p_output_tokens_min) THEN
                    IF v_tightest IS NULL THEN
                        outcome := 'insufficient_credits'; scope := 'wallet'; scope_id := v_book.wallet_id;
                        limit_nano := v_wallet_nano; spent_nano := 0;
                        held_nano := v_total_nano + (SELECT a.balance_nano FROM account a WHERE a.id = v_book.held_id);
                    ELSE
                        outcome := 'budget_exceeded'; scope := v_scopes[v_tightest]; scope_id := v_scope_ids[v_tightest];
                        limit_nano := v_limits[v_tightest]; spent_nano := v_spent[v_tightest]; resets_at := v_resets[v_tightest];
                        held_nano := limit_nano - spent_nano - v_headroom;
                    END IF;
                    -- The least this request could be admitted with, so that the refusal can say how much is missing.
                    amount_nano := div(v_input_num + v_unit_num * least(c.output_max, p_output_tokens_min) + 999999, 1000000);
                    remaining_nano := greatest(v_headroom, 0);
                    granted_output_tokens := 0;
                    RETURN NEXT;
                    CONTINUE;
                END IF;
            END IF;
            amount_nano := div(v_input_num + v_unit_num * granted_output_tokens + 999999, 1000000);
            v_wallet_nano := v_wallet_nano - amount_nano;
            v_total_nano := v_total_nano + amount_nano;
            FOREACH v_slot IN ARRAY c.slots LOOP
                v_left[v_slot] := v_left[v_slot] - amount_nano;
                v_added[v_slot] := v_added[v_slot] + amount_nano;
            END LOOP;
        END IF;
        outcome := 'held';
        remaining_nano := CASE WHEN v_headroom IS NULL THEN remaining_nano(p_organisation_id, c.team_id, c.user_id, c.key_id, p_now)
            ELSE greatest(v_headroom - amount_nano, 0) END;
        v_holds := v_holds || ROW(c.request_id, 'held', p_organisation_id, c.team_id, c.user_id, c.key_id, c.model, c.provider, c.kind,
            free, price_version, amount_nano, c.input_max, c.input_floor, granted_output_tokens, c.choices,
            CASE WHEN free THEN '{}'::bigint[] ELSE ARRAY(SELECT v_window_ids[s] FROM unnest(c.slots) AS s) END,
            0, p_ttl_s, v_clock, expires_at, NULL, NULL, 0, 0, 0, 0, false)::hold;
        RETURN NEXT;
    END LOOP;

    IF v_total_nano > 0 THEN
        UPDATE account a SET balance_nano = a.balance_nano + CASE a.id WHEN v_book.held_id THEN v_total_nano ELSE -v_total_nano END
        WHERE a.id IN (v_book.wallet_id, v_book.held_id);
        UPDATE budget_window w SET held_nano = w.held_nano + d.amount
        FROM unnest(v_window_ids, v_added) AS d (id, amount) WHERE w.id = d.id AND d.amount > 0;
        INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
        SELECT p_organisation_id, v_book.wallet_id, v_book.held_id, h.amount_nano, 'hold', h.request_id::text
        FROM unnest(v_holds) AS h WHERE h.amount_nano > 0;
    END IF;
    -- By id: two batches of free models, which pass no gate, may hold the same ids.
    INSERT INTO hold SELECT h.* FROM unnest(v_holds) AS h ORDER BY h.request_id;
END $$;

-- reserve_many() for one dispatch.
CREATE FUNCTION reserve(
    p_request_id uuid, p_organisation_id uuid, p_team_id uuid, p_user_id uuid, p_key_id uuid,
    p_model text, p_provider text, p_kind text,
    p_input_tokens_max bigint, p_input_tokens_floor bigint, p_output_tokens_max bigint, p_choices integer,
    p_output_tokens_min bigint, p_ttl_s double precision, p_grant_nano bigint, p_default_budget_nano bigint,
    p_now timestamptz DEFAULT now(),
    OUT outcome text, OUT amount_nano bigint, OUT price_version uuid, OUT granted_output_tokens bigint, OUT free boolean,
    OUT expires_at timestamptz, OUT remaining_nano bigint,
    OUT scope text, OUT scope_id uuid, OUT limit_nano bigint, OUT spent_nano bigint, OUT held_nano bigint, OUT resets_at timestamptz)
LANGUAGE sql AS $$
    SELECT r.outcome, r.amount_nano, r.price_version, r.granted_output_tokens, r.free, r.expires_at, r.remaining_nano,
           r.scope, r.scope_id, r.limit_nano, r.spent_nano, r.held_nano, r.resets_at
    FROM reserve_many(p_organisation_id, ARRAY[p_request_id], ARRAY[p_team_id], ARRAY[p_user_id], ARRAY[p_key_id], ARRAY[p_model],
        ARRAY[p_provider], ARRAY[p_kind], ARRAY[p_input_tokens_max], ARRAY[p_input_tokens_floor], ARRAY[p_output_tokens_max],
        ARRAY[p_choices], p_output_tokens_min, p_ttl_s, p_grant_nano, p_default_budget_nano, p_now) AS r
$$;

-- A hold at its end: what it was, and what it turned out to have used. buckets: input, cache read, cache write, audio in,
-- output, reasoning, audio out.
CREATE TYPE ended_hold AS (
    call integer, was hold, at timestamptz, total_nano bigint, cost_nano bigint, buckets bigint[],
    input_tokens bigint, output_tokens bigint, source text, outcome text, latency_ms integer
);

-- The usage events, the roll-up deltas and the outbox rows of ended holds; one place, so that the three cannot disagree.
CREATE FUNCTION record_usage(p_ended ended_hold[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO usage_key SELECT (e.was).organisation_id, (e.was).request_id::text FROM unnest(p_ended) AS e;
    INSERT INTO usage_event
    SELECT (e.was).request_id, e.at, (e.was).organisation_id, (e.was).team_id, (e.was).user_id, (e.was).key_id, (e.was).model,
        (e.was).provider, e.input_tokens, e.output_tokens, e.buckets[1], e.buckets[2], e.buckets[3], e.buckets[4], e.buckets[5],
        e.buckets[6], e.buckets[7], e.cost_nano, e.total_nano - e.cost_nano, (e.was).price_id, e.source, e.outcome, e.latency_ms
    FROM unnest(p_ended) AS e;
    INSERT INTO usage_rollup AS u
    SELECT (e.at AT TIME ZONE 'UTC')::date, (e.was).organisation_id, (e.was).user_id, (e.was).team_id, (e.was).key_id, (e.was).model,
        count(*), sum(e.input_tokens), sum(e.output_tokens), sum(e.cost_nano), sum(e.total_nano - e.cost_nano)
    FROM unnest(p_ended) AS e
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT ON CONSTRAINT usage_rollup_once DO UPDATE SET
        requests = u.requests + excluded.requests, input_tokens = u.input_tokens + excluded.input_tokens,
        output_tokens = u.output_tokens + excluded.output_tokens, cost_nano = u.cost_nano + excluded.cost_nano,
        house_loss_nano = u.house_loss_nano + excluded.house_loss_nano;
    INSERT INTO outbox (id, topic, key, payload)
    SELECT uuidv7(), 'usage.recorded', (e.was).organisation_id::text,
        usage_payload(e.was, (e.was).request_id::text, e.at, e.input_tokens, e.output_tokens, e.cost_nano)
    FROM unnest(p_ended) AS e;
END $$;

CREATE FUNCTION add_to_rollup(p_hold hold, p_at timestamptz, p_requests bigint, p_input bigint, p_output bigint,
                              p_cost_nano bigint, p_house_loss_nano bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO usage_rollup AS u VALUES ((p_at AT TIME ZONE 'UTC')::date, p_hold.organisation_id, p_hold.user_id, p_hold.team_id,
        p_hold.key_id, p_hold.model, p_requests, p_input, p_output, p_cost_nano, p_house_loss_nano)
    ON CONFLICT ON CONSTRAINT usage_rollup_once DO UPDATE SET
        requests = u.requests + excluded.requests, input_tokens = u.input_tokens + excluded.input_tokens,
        output_tokens = u.output_tokens + excluded.output_tokens, cost_nano = u.cost_nano + excluded.cost_nano,
        house_loss_nano = u.house_loss_nano + excluded.house_loss_nano;
END $$;

-- A usage event as it leaves by the outbox, with the field names of the platform's contract. Nothing here sends NOTIFY: it would
-- take a lock that all commits of the server queue for; the relay polls instead.
CREATE FUNCTION usage_payload(p_hold hold, p_transaction_id text, p_at timestamptz, p_input bigint, p_output bigint, p_cost_nano bigint)
RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'transaction_id', p_transaction_id, 'customer_id', (p_hold).organisation_id, 'timestamp', p_at, 'model', (p_hold).model,
        'provider', (p_hold).provider, 'tokens_input', p_input, 'tokens_output', p_output,
        'cost_usd', trim_scale(p_cost_nano * 0.000000001), 'cost_nano', p_cost_nano, 'request_id', (p_hold).request_id,
        'user_id', (p_hold).user_id, 'team_id', (p_hold).team_id, 'key_id', (p_hold).key_id)
$$;

-- Settle many dispatches of one organisation: charge what each cost up to its hold, return the rest. One row a call, `call`
-- counts from 1. result: settled | released | unknown. p_buckets has seven numbers a call, as in ended_hold. A repeat returns the
-- first result; the same dispatch twice in one batch is refused whole by usage_key.
CREATE FUNCTION settle_many(
    p_request_ids uuid[], p_buckets bigint[], p_sources text[], p_outcomes text[], p_occurred_at timestamptz[], p_latency_ms integer[])
RETURNS TABLE (call integer, result text, cost_nano bigint, house_loss_nano bigint, remaining_nano bigint)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := clock_timestamp();
    v_holds hold[];
    v_ended ended_hold[];
    v_organisation_id uuid;
BEGIN
    SELECT array_agg(l.h) INTO v_holds FROM (
        SELECT h FROM hold h WHERE h.request_id = ANY (p_request_ids) ORDER BY h.request_id FOR NO KEY UPDATE) AS l;
    v_organisation_id := v_holds[1].organisation_id;
    IF EXISTS (SELECT FROM unnest(v_holds) AS h WHERE h.organisation_id <> v_organisation_id) THEN
        RAISE EXCEPTION 'a batch of settlements touches one organisation only';
    END IF;
    -- An event lies between the admission and now, whatever the caller's clock says: it can neither predate its hold nor reach ahead.
    SELECT array_agg(ROW(u.call, h, greatest(h.created_at, least(u.occurred_at, v_now)), t.nano, least(t.nano, h.amount_nano), b.n,
                         b.n[1] + b.n[2] + b.n[3] + b.n[4], b.n[5] + b.n[6] + b.n[7], u.source, u.outcome, u.latency_ms)::ended_hold)
    INTO v_ended
    FROM unnest(p_request_ids, p_sources, p_outcomes, p_occurred_at, p_latency_ms) WITH ORDINALITY
        AS u (request_id, source, outcome, occurred_at, latency_ms, call)
    JOIN unnest(v_holds) AS h ON h.request_id = u.request_id AND h.state = 'held'
    JOIN price p ON p.id = h.price_id
    CROSS JOIN LATERAL (SELECT p_buckets[u.call * 7 - 6 : u.call * 7] AS n OFFSET 0) AS b
    CROSS JOIN LATERAL (SELECT CASE WHEN h.free THEN 0
        ELSE token_cost_nano(p, b.n[1], b.n[2], b.n[3], b.n[4], b.n[5], b.n[6], b.n[7]) END AS nano OFFSET 0) AS t;
    IF v_ended IS NOT NULL THEN
        PERFORM charge(v_organisation_id, v_ended);
        PERFORM record_usage(v_ended);
        UPDATE hold h SET state = 'settled', ended_at = v_now, event_at = e.at, cost_nano = e.cost_nano,
            house_loss_nano = e.total_nano - e.cost_nano, input_tokens = e.input_tokens, output_tokens = e.output_tokens
        FROM unnest(v_ended) AS e WHERE h.request_id = (e.was).request_id;
        RETURN QUERY
        SELECT e.call, 'settled', e.cost_nano, e.total_nano - e.cost_nano, left_over.nano
        FROM unnest(v_ended) AS e
        JOIN (SELECT chain.*, remaining_nano(v_organisation_id, chain.team_id, chain.user_id, chain.key_id, v_now) AS nano
              FROM (SELECT DISTINCT (d.was).team_id, (d.was).user_id, (d.was).key_id FROM unnest(v_ended) AS d) AS chain) AS left_over
            ON left_over.team_id = (e.was).team_id AND left_over.user_id = (e.was).user_id
            AND left_over.key_id IS NOT DISTINCT FROM (e.was).key_id;
    END IF;
    IF cardinality(v_ended) = cardinality(p_request_ids) THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT u.call::integer, r.* FROM unnest(p_request_ids, p_sources, p_outcomes, p_latency_ms) WITH ORDINALITY
        AS u (request_id, source, outcome, latency_ms, call)
    LEFT JOIN unnest(v_holds) AS h ON h.request_id = u.request_id
    CROSS JOIN LATERAL settle_ended(h, p_buckets[u.call * 7 - 6 : u.call * 7], u.source, u.outcome, u.latency_ms) AS r
    WHERE h.state IS DISTINCT FROM 'held';
END $$;

-- Move the money of ended holds: what they cost to the revenue, the rest back. The wallet comes first: its row is the gate.
-- A provider's bill beyond the hold is the operator's loss, never the customer's; revenue is booked gross.
CREATE FUNCTION charge(p_organisation_id uuid, p_ended ended_hold[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_book book;
    v_held bigint;
    v_total bigint;
    v_cost bigint;
BEGIN
    SELECT * INTO v_book FROM book k WHERE k.organisation_id = p_organisation_id;
    IF NOT FOUND THEN
        RETURN;  -- nothing but free models so far
    END IF;
    SELECT sum((e.was).amount_nano), sum(e.total_nano), sum(e.cost_nano) INTO v_held, v_total, v_cost FROM unnest(p_ended) AS e;
    UPDATE account a SET balance_nano = a.balance_nano + v_held - v_cost WHERE a.id = v_book.wallet_id;
    UPDATE budget_window w SET held_nano = w.held_nano - d.held, spent_nano = w.spent_nano + d.spent
    FROM (SELECT i.id, sum((e.was).amount_nano) AS held, sum(e.cost_nano) AS spent
          FROM unnest(p_ended) AS e CROSS JOIN LATERAL unnest((e.was).window_ids) AS i (id) GROUP BY i.id) AS d
    WHERE w.id = d.id;
    UPDATE account a SET balance_nano = a.balance_nano + d.amount
    FROM (VALUES (v_book.held_id, -v_held), (v_book.usage_revenue_id, v_total), (v_book.house_loss_id, v_cost - v_total)) AS d (id, amount)
    WHERE a.id = d.id AND d.amount <> 0;
    INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
    SELECT p_organisation_id, t.debit, t.credit, t.amount, t.reason, (e.was).request_id::text
    FROM unnest(p_ended) AS e CROSS JOIN LATERAL (VALUES
        (v_book.held_id, v_book.usage_revenue_id, e.cost_nano, 'charge'),
        (v_book.held_id, v_book.wallet_id, (e.was).amount_nano - e.cost_nano, 'return'),
        (v_book.house_loss_id, v_book.usage_revenue_id, e.total_nano - e.cost_nano, 'house_loss')) AS t (debit, credit, amount, reason)
    WHERE t.amount > 0;
END $$;

-- Settle what is no longer held: a repeat returns the first result, an expired hold is settled late.
CREATE FUNCTION settle_ended(p_hold hold, p_buckets bigint[], p_source text, p_outcome text, p_latency_ms integer,
    OUT result text, OUT cost_nano bigint, OUT house_loss_nano bigint, OUT remaining_nano bigint)
LANGUAGE plpgsql AS $$
BEGIN
    IF p_hold.request_id IS NULL THEN
        result := 'unknown';
        RETURN;
    END IF;
    result := p_hold.state; cost_nano := p_hold.cost_nano; house_loss_nano := p_hold.house_loss_nano;
    IF p_hold.state = 'expired' THEN
        SELECT s.cost_nano, s.house_loss_nano INTO cost_nano, house_loss_nano
        FROM settle_late(p_hold, p_buckets, p_source, p_outcome, p_latency_ms) AS s;
        result := 'settled';
    END IF;
    remaining_nano := remaining_nano(p_hold.organisation_id, p_hold.team_id, p_hold.user_id, p_hold.key_id, clock_timestamp());
END $$;

-- settle_many() for one dispatch.
CREATE FUNCTION settle(
    p_request_id uuid, p_buckets bigint[], p_source text, p_outcome text, p_occurred_at timestamptz, p_latency_ms integer,
    OUT result text, OUT cost_nano bigint, OUT house_loss_nano bigint, OUT remaining_nano bigint)
LANGUAGE sql AS $$
    SELECT s.result, s.cost_nano, s.house_loss_nano, s.remaining_nano
    FROM settle_many(ARRAY[p_request_id], p_buckets, ARRAY[p_source], ARRAY[p_outcome], ARRAY[p_occurred_at], ARRAY[p_latency_ms]) AS s
$$;

-- Give back a hold on the windows it was taken from and book what it cost there.
CREATE FUNCTION move_windows(p_window_ids bigint[], p_held_nano bigint, p_spent_nano bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE budget_window w SET held_nano = w.held_nano - p_held_nano, spent_nano = w.spent_nano + p_spent_nano
    WHERE w.id = ANY (p_window_ids);
END $$;

-- What a provider billed beyond the hold is the operator's loss, never the customer's; revenue is booked gross.
CREATE FUNCTION post_house_loss(p_book book, p_amount_nano bigint, p_request_id uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE account a SET balance_nano = a.balance_nano - p_amount_nano WHERE a.id = p_book.house_loss_id;
    INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
    VALUES (p_book.organisation_id, p_book.house_loss_id, p_book.usage_revenue_id, p_amount_nano, 'house_loss', p_request_id::text);
END $$;

-- A settle that comes after the hold expired. Expiry booked a provisional charge to `expired`; only the difference is posted:
-- more, as far as hold, wallet and budgets still reach (the rest is house_loss); less, as a refund.
CREATE FUNCTION settle_late(p_hold hold, p_buckets bigint[], p_source text, p_outcome text, p_latency_ms integer,
                            OUT cost_nano bigint, OUT house_loss_nano bigint)
LANGUAGE plpgsql AS $$
DECLARE
    v_price price;
    v_book book;
    v_total numeric := 0;
    v_kept bigint;
    v_extra bigint := 0;
    v_wallet_nano bigint;
    v_input bigint := p_buckets[1] + p_buckets[2] + p_buckets[3] + p_buckets[4];
    v_output bigint := p_buckets[5] + p_buckets[6] + p_buckets[7];
BEGIN
    cost_nano := 0; house_loss_nano := 0;
    IF NOT p_hold.free THEN
        SELECT * INTO v_price FROM price p WHERE p.id = p_hold.price_id;
        v_total := token_cost_nano(v_price, p_buckets[1], p_buckets[2], p_buckets[3], p_buckets[4], p_buckets[5], p_buckets[6], p_buckets[7]);
        SELECT * INTO v_book FROM book k WHERE k.organisation_id = p_hold.organisation_id;
        SELECT a.balance_nano INTO v_wallet_nano FROM account a WHERE a.id = v_book.wallet_id FOR NO KEY UPDATE;
        v_kept := least(v_total, p_hold.cost_nano);
        IF v_total > p_hold.cost_nano THEN
            SELECT greatest(0, least(least(v_total, p_hold.amount_nano) - p_hold.cost_nano, v_wallet_nano,
                                     min(least(b.limit_nano, w.limit_nano) - w.spent_nano - w.held_nano)))
            INTO v_extra
            FROM budget_window w JOIN budget b ON b.id = w.budget_id WHERE w.id = ANY (p_hold.window_ids);
        END IF;
        cost_nano := v_kept + v_extra;
        house_loss_nano := v_total - cost_nano;
        UPDATE account a SET balance_nano = a.balance_nano - v_extra + (p_hold.cost_nano - v_kept) WHERE a.id = v_book.wallet_id;
        PERFORM move_windows(p_hold.window_ids, 0, cost_nano - p_hold.cost_nano);
        UPDATE account a SET balance_nano = a.balance_nano - p_hold.cost_nano WHERE a.id = v_book.expired_id;
        UPDATE account a SET balance_nano = a.balance_nano + v_total::bigint WHERE a.id = v_book.usage_revenue_id;
        INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
        SELECT p_hold.organisation_id, t.debit, t.credit, t.amount, t.reason, p_hold.request_id::text
        FROM (VALUES (v_book.expired_id, v_book.usage_revenue_id, v_kept, 'late_confirm'),
                     (v_book.expired_id, v_book.wallet_id, p_hold.cost_nano - v_kept, 'late_refund'),
                     (v_book.wallet_id, v_book.usage_revenue_id, v_extra, 'late_charge')) AS t (debit, credit, amount, reason)
        WHERE t.amount > 0;
        IF house_loss_nano > 0 THEN
            PERFORM post_house_loss(v_book, house_loss_nano, p_hold.request_id);
        END IF;
    END IF;
    UPDATE usage_event e SET tokens_input = v_input, tokens_output = v_output, input_tokens = p_buckets[1],
        cache_read_tokens = p_buckets[2], cache_write_tokens = p_buckets[3], audio_in_tokens = p_buckets[4], output_tokens = p_buckets[5],
        reasoning_tokens = p_buckets[6], audio_out_tokens = p_buckets[7], cost_nano = settle_late.cost_nano,
        house_loss_nano = settle_late.house_loss_nano, source = p_source, outcome = p_outcome, latency_ms = p_latency_ms
    WHERE e.request_id = p_hold.request_id AND e."timestamp" = p_hold.event_at;
    PERFORM add_to_rollup(p_hold, p_hold.event_at, 0, v_input - p_hold.input_tokens, v_output - p_hold.output_tokens,
                          cost_nano - p_hold.cost_nano, house_loss_nano);
    INSERT INTO outbox (id, topic, key, payload)
    VALUES (uuidv7(), 'usage.corrected', p_hold.organisation_id::text,
            usage_payload(p_hold, 'late:' || p_hold.request_id, p_hold.event_at, v_input, v_output, cost_nano));
    UPDATE hold h SET state = 'settled', late = true, ended_at = clock_timestamp(), cost_nano = settle_late.cost_nano,
        house_loss_nano = settle_late.house_loss_nano, input_tokens = v_input, output_tokens = v_output
    WHERE h.request_id = p_hold.request_id;
END $$;

-- Give a hold back whole: its request never reached the provider. An expired one gets its provisional charge back.
-- result: released | settled | unknown.
CREATE FUNCTION release(p_request_id uuid, OUT result text) LANGUAGE plpgsql AS $$
DECLARE
    v_hold hold;
    v_book book;
BEGIN
    SELECT * INTO v_hold FROM hold h WHERE h.request_id = p_request_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        result := 'unknown';
        RETURN;
    END IF;
    IF v_hold.state = 'expired' THEN
        PERFORM settle_late(v_hold, ARRAY[0, 0, 0, 0, 0, 0, 0], 'reconciled', 'failed', NULL);
        UPDATE hold h SET state = 'released' WHERE h.request_id = p_request_id;
        result := 'released';
        RETURN;
    END IF;
    IF v_hold.state <> 'held' THEN
        result := v_hold.state;
        RETURN;
    END IF;
    IF v_hold.amount_nano > 0 THEN
        SELECT * INTO v_book FROM book k WHERE k.organisation_id = v_hold.organisation_id;
        UPDATE account a SET balance_nano = a.balance_nano + v_hold.amount_nano WHERE a.id = v_book.wallet_id;
        PERFORM move_windows(v_hold.window_ids, v_hold.amount_nano, 0);
        UPDATE account a SET balance_nano = a.balance_nano - v_hold.amount_nano WHERE a.id = v_book.held_id;
        INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
        VALUES (v_hold.organisation_id, v_book.held_id, v_book.wallet_id, v_hold.amount_nano, 'release', p_request_id::text);
    END IF;
    UPDATE hold h SET state = 'released', ended_at = clock_timestamp() WHERE h.request_id = p_request_id;
    result := 'released';
END $$;

-- Record the output so far of many holds and renew them, in one statement. Returns the ids that are still held.
CREATE FUNCTION checkpoint(p_request_ids uuid[], p_output_tokens bigint[], p_ttl_s double precision) RETURNS SETOF uuid
LANGUAGE sql AS $$
    WITH reported AS (
        SELECT i.request_id, max(i.output_tokens) AS output_tokens
        FROM unnest(p_request_ids, p_output_tokens) AS i (request_id, output_tokens) GROUP BY i.request_id
    ), locked AS (
        SELECT h.request_id, r.output_tokens FROM hold h JOIN reported r USING (request_id)
        WHERE h.state = 'held' ORDER BY h.request_id FOR NO KEY UPDATE OF h
    )
    UPDATE hold h SET checkpoint_output_tokens = greatest(h.checkpoint_output_tokens, l.output_tokens),
        expires_at = clock_timestamp() + make_interval(secs => p_ttl_s)
    FROM locked l WHERE h.request_id = l.request_id AND h.state = 'held'
    RETURNING h.request_id
$$;

-- Expire one hold whose time is over: charge its checkpoint, or the input floor when there is none, to the provisional account
-- `expired`, return the rest. One hold a call, because a transaction may touch one organisation only. false: nothing to do.
CREATE FUNCTION expire_hold(p_request_id uuid, p_now timestamptz DEFAULT clock_timestamp()) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_hold hold;
    v_price price;
    v_book book;
    v_cost bigint := 0;
    v_output bigint;
BEGIN
    SELECT * INTO v_hold FROM hold h WHERE h.request_id = p_request_id AND h.state = 'held' AND h.expires_at <= p_now
    FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    v_output := least(v_hold.checkpoint_output_tokens, v_hold.output_tokens_max * v_hold.choices);
    IF NOT v_hold.free THEN
        SELECT * INTO v_price FROM price p WHERE p.id = v_hold.price_id;
        v_cost := least(token_cost_nano(v_price, v_hold.input_tokens_floor, 0, 0, 0, v_output, 0, 0), v_hold.amount_nano);
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
    PERFORM record_usage(ARRAY[ROW(1, v_hold, v_hold.created_at, v_cost, v_cost, ARRAY[v_hold.input_tokens_floor, 0, 0, 0, v_output, 0, 0],
        v_hold.input_tokens_floor, v_output, 'partial', 'expired', NULL)::ended_hold]);
    UPDATE hold h SET state = 'expired', ended_at = clock_timestamp(), event_at = v_hold.created_at, cost_nano = v_cost,
        input_tokens = v_hold.input_tokens_floor, output_tokens = v_output
    WHERE h.request_id = p_request_id;
    RETURN true;
END $$;

-- Holds past their time, oldest first; none until Postgres itself has been up for a full TTL, because nobody could renew before.
CREATE FUNCTION overdue_holds(p_ttl_s double precision, p_rows_max integer) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    SELECT h.request_id FROM hold h
    WHERE h.state = 'held' AND h.expires_at <= clock_timestamp()
      AND clock_timestamp() > pg_postmaster_start_time() + make_interval(secs => p_ttl_s)
    ORDER BY h.created_at LIMIT p_rows_max
$$;

-- Put paid credit into a wallet. Returns the available balance after it, or NULL when the organisation has no such wallet.
CREATE FUNCTION top_up(p_organisation_id uuid, p_wallet_id uuid, p_amount_nano bigint, p_transaction_id text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_book book;
    v_balance bigint;
BEGIN
    SELECT * INTO v_book FROM book k WHERE k.organisation_id = p_organisation_id AND k.wallet_id = p_wallet_id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO usage_key VALUES (p_organisation_id, p_transaction_id) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT a.balance_nano INTO v_balance FROM account a WHERE a.id = p_wallet_id;
        RETURN v_balance;
    END IF;
    UPDATE account a SET balance_nano = a.balance_nano + p_amount_nano WHERE a.id = p_wallet_id RETURNING a.balance_nano INTO v_balance;
    UPDATE account a SET balance_nano = a.balance_nano - p_amount_nano WHERE a.id = v_book.payment_id;
    INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
    VALUES (p_organisation_id, v_book.payment_id, p_wallet_id, p_amount_nano, 'top_up', p_transaction_id);
    RETURN v_balance;
END $$;

-- Change a budget's limit under the gate, and the current window's with it. A limit below what is already spent and held
-- refuses new holds at once; the window keeps the higher bound until it ends.
CREATE FUNCTION set_budget(p_organisation_id uuid, p_scope text, p_scope_id uuid, p_window text, p_limit_nano bigint,
                           p_is_default boolean, p_now timestamptz DEFAULT now()) RETURNS budget
LANGUAGE plpgsql AS $$
DECLARE
    v_budget budget;
BEGIN
    PERFORM 1 FROM book k JOIN account a ON a.id = k.wallet_id WHERE k.organisation_id = p_organisation_id FOR NO KEY UPDATE OF a;
    INSERT INTO budget AS b (organisation_id, scope, scope_id, "window", limit_nano, is_default)
    VALUES (p_organisation_id, p_scope, p_scope_id, p_window, p_limit_nano, p_is_default)
    ON CONFLICT ON CONSTRAINT budget_one_per_window DO UPDATE
        SET limit_nano = excluded.limit_nano, is_default = excluded.is_default, updated_at = now()
    RETURNING b.* INTO v_budget;
    UPDATE budget_window w SET limit_nano = greatest(p_limit_nano, w.spent_nano + w.held_nano)
    WHERE w.budget_id = v_budget.id AND w.window_start >= window_start(p_window, p_now);
    RETURN v_budget;
END $$;

-- Monthly partitions from this month to p_months ahead. Runs as the owner, because the service role may not create tables.
CREATE FUNCTION ensure_partitions(p_months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = billing, pg_temp AS $$
DECLARE
    v_from timestamptz;
    v_name text;
    v_made integer := 0;
    r record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('billing.ensure_partitions'));
    FOR r IN SELECT t, m FROM unnest(ARRAY['transfer', 'usage_event']) AS t, generate_series(0, least(p_months, 24)) AS m LOOP
        v_from := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => r.m)) AT TIME ZONE 'UTC';
        v_name := format('%s_%s', r.t, to_char(v_from AT TIME ZONE 'UTC', 'YYYY_MM'));
        IF to_regclass('billing.' || v_name) IS NULL THEN
            EXECUTE format('CREATE TABLE billing.%I PARTITION OF billing.%I FOR VALUES FROM (%L) TO (%L)', v_name, r.t, v_from,
                           window_end('month', v_from));
            IF r.t = 'transfer' AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'billing_app') THEN
                EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON billing.%I FROM billing_app', v_name);
            END IF;
            v_made := v_made + 1;
        END IF;
    END LOOP;
    RETURN v_made;
END $$;

SELECT ensure_partitions(3);

DO $$
BEGIN
    REVOKE EXECUTE ON FUNCTION ensure_partitions(integer) FROM PUBLIC;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'billing_app') THEN
        GRANT EXECUTE ON FUNCTION ensure_partitions(integer) TO billing_app;
        REVOKE UPDATE, DELETE, TRUNCATE ON transfer, transfer_default, audit, usage_key FROM billing_app;
        REVOKE UPDATE, DELETE, TRUNCATE ON price FROM billing_app;
        GRANT UPDATE (effective_to) ON price TO billing_app;
        REVOKE DELETE, TRUNCATE ON account, book, usage_event, usage_rollup FROM billing_app;
        REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON schema_info FROM billing_app;
    END IF;
END $$;
