-- Hold the most each of many dispatches of one organisation can cost, on the wallet and on every budget that applies, or say
-- which limit refuses. One row a call, `call` counts from 1; earlier calls come first, and a refused one leaves its neighbours alone.
-- outcome: held | price_unknown | insufficient_credits | budget_exceeded | request_id_reused. A repeat of the same
-- reservation while it is held returns it. Amounts move only when outcome is held.
--
-- A batch, so that calls which would queue for the wallet share a transaction and its flush. Planned once per session: planning
-- each batch again took as long as running it, and a plan made while a table was small must not scan it when it is large.
CREATE OR REPLACE FUNCTION reserve_many(
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
    -- What is held, one element each.
    v_calls integer[] := '{}';
    v_free boolean[] := '{}';
    v_prices uuid[] := '{}';
    v_amounts bigint[] := '{}';
    v_granted bigint[] := '{}';
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
        v_calls := v_calls || call; v_free := v_free || free; v_prices := v_prices || price_version;
        v_amounts := v_amounts || amount_nano; v_granted := v_granted || granted_output_tokens;
        RETURN NEXT;
    END LOOP;

    IF v_total_nano > 0 THEN
        UPDATE account a SET balance_nano = a.balance_nano + CASE a.id WHEN v_book.held_id THEN v_total_nano ELSE -v_total_nano END
        WHERE a.id IN (v_book.wallet_id, v_book.held_id);
        UPDATE budget_window w SET held_nano = w.held_nano + d.amount
        FROM unnest(v_window_ids, v_added) AS d (id, amount) WHERE w.id = d.id AND d.amount > 0;
        INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
        SELECT p_organisation_id, v_book.wallet_id, v_book.held_id, d.amount, 'hold', p_request_ids[d.call]::text
        FROM unnest(v_calls, v_amounts) AS d (call, amount) WHERE d.amount > 0;
    END IF;
    -- By id: two batches of free models, which pass no gate, may hold the same ids.
    INSERT INTO hold (request_id, state, organisation_id, team_id, user_id, key_id, model, provider, kind, free, price_id, amount_nano,
        input_tokens_max, input_tokens_floor, output_tokens_max, choices, window_ids, ttl_s, created_at, expires_at)
    SELECT p_request_ids[d.call], 'held', p_organisation_id, p_team_ids[d.call], p_user_ids[d.call], p_key_ids[d.call],
        p_models[d.call], p_providers[d.call], p_kinds[d.call], d.free, d.price_id, d.amount, p_input_tokens_max[d.call],
        p_input_tokens_floor[d.call], d.granted, p_choices[d.call],
        ARRAY(SELECT l.window_id FROM unnest(v_window_ids, v_scope_ids) AS l (window_id, scope_id) WHERE NOT d.free
              AND l.scope_id IN (p_organisation_id, p_team_ids[d.call], p_user_ids[d.call], p_key_ids[d.call])),
        p_ttl_s, v_clock, v_clock + make_interval(secs => p_ttl_s)
    FROM unnest(v_calls, v_free, v_prices, v_amounts, v_granted) AS d (call, free, price_id, amount, granted)
    ORDER BY p_request_ids[d.call];
END $$;
