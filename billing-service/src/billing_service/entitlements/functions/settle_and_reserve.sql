-- Settle dispatches of one organisation and reserve others of it, in this order: what a settlement gives back may admit
-- a reserve. One row for each settlement, then one for each reserve, in the order of the arrays; `call` counts from 1 in
-- both lists. One that is refused leaves its neighbours alone.
-- A settlement charges what was used up to the hold, and returns the rest. outcome: settled (amount_nano is its cost) |
-- not_held: nothing was done, settle_many() knows what became of it. p_buckets is as in end_holds().
-- A reserve holds the most its dispatch can cost, on the wallet and on every budget that applies, or says which limit
-- refuses. outcome: held | price_unknown | insufficient_credits | budget_exceeded | request_id_reused. A repeat of the
-- same reservation while it is held returns it. Amounts move only when outcome is held.
-- A row that calls of a group share is written once: to begin a statement costs more than what it does for one call.
-- Planned once per session: planning each group again took as long as running it, and a plan made while a table was small
-- must not scan it when it is large.
CREATE OR REPLACE FUNCTION settle_and_reserve(
    p_settle_ids uuid[], p_buckets bigint[], p_sources text[], p_outcomes text[], p_occurred_at timestamptz[], p_latency_ms integer[],
    p_organisation_id uuid, p_request_ids uuid[], p_team_ids uuid[], p_user_ids uuid[], p_key_ids uuid[],
    p_models text[], p_providers text[], p_kinds text[], p_input_tokens_max bigint[], p_input_tokens_floor bigint[],
    p_output_tokens_max bigint[], p_choices integer[], p_output_tokens_min bigint, p_ttl_s double precision, p_grant_nano bigint,
    p_default_budget_nano bigint, p_now timestamptz DEFAULT now())
RETURNS TABLE (call integer, outcome text, amount_nano bigint, price_version uuid, granted_output_tokens bigint,
    free boolean, expires_at timestamptz, remaining_nano bigint, scope text, scope_id uuid, limit_nano bigint, spent_nano bigint,
    held_nano bigint, resets_at timestamptz, house_loss_nano bigint)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_clock timestamptz := clock_timestamp(); v_ended ended_group;
    v_organisation_id uuid := p_organisation_id; v_book book; v_wallet_nano bigint;
    v_i integer; v_at integer; v_slot integer; v_tightest integer; v_open integer; v_monthly uuid[]; v_known uuid[];
    v_headroom bigint; v_input_num numeric; v_unit_num numeric; v_enough bigint; v_total_nano bigint := 0;
    -- The budgets of everybody in this group, one slot each; behind them windows that only settlements change.
    v_slots integer; v_window_ids bigint[]; v_scope_ids uuid[]; v_left bigint[]; v_spent bigint[]; v_limits bigint[];
    v_scopes text[]; v_resets timestamptz[]; v_held_change bigint[]; v_spent_change bigint[];
    -- Read for the call before: most calls of a group share it. `v_payers` are whose budgets apply.
    v_payers uuid[]; v_asking uuid[]; v_own integer[]; v_own_windows bigint[]; v_price price;
    -- What is held, one element each.
    v_held integer[] := '{}'; v_held_ids uuid[] := '{}'; v_held_free boolean[] := '{}'; v_prices uuid[] := '{}';
    v_amounts bigint[] := '{}'; v_granted bigint[] := '{}'; v_windows text[] := '{}';
BEGIN
    IF cardinality(p_settle_ids) > 0 THEN  -- the holds come before the wallet
        v_ended := end_holds(p_settle_ids, p_buckets, p_sources, p_outcomes, p_occurred_at, p_latency_ms, v_clock);
        v_organisation_id := coalesce(v_organisation_id, v_ended.organisation_ids[1]);
        IF v_organisation_id <> ANY (v_ended.organisation_ids) THEN
            RAISE EXCEPTION 'a group touches one organisation only';
        END IF;
    END IF;
    SELECT k.* INTO v_book FROM book k WHERE k.organisation_id = v_organisation_id;
    IF NOT FOUND AND EXISTS (SELECT FROM price p WHERE p.model = ANY (p_models) AND NOT p.free
                             AND p.effective_from <= p_now AND (p.effective_to IS NULL OR p.effective_to > p_now)) THEN
        v_book := open_book(v_organisation_id, p_grant_nano);
    END IF;
    IF v_book.wallet_id IS NOT NULL THEN
        -- The gate: nobody else can move what is read from here on until this transaction ends.
        SELECT a.balance_nano INTO v_wallet_nano FROM account a WHERE a.id = v_book.wallet_id FOR NO KEY UPDATE;
        v_wallet_nano := v_wallet_nano + coalesce(v_ended.back_nano - v_ended.cost_nano, 0);
        v_payers := v_organisation_id || p_team_ids || p_user_ids || p_key_ids || v_ended.team_ids || v_ended.user_ids || v_ended.key_ids;
        LOOP
            SELECT array_agg(w.id), array_agg(b.scope_id), array_agg(b.limit_nano - coalesce(w.spent_nano + w.held_nano, 0)),
                array_agg(coalesce(w.spent_nano, 0)), array_agg(b.limit_nano), array_agg(b.scope),
                array_agg(window_end(b."window", s.start)), array_agg(0::bigint), array_agg(0::bigint), count(*),
                count(w.id), array_agg(b.scope_id) FILTER (WHERE b.scope = 'user' AND b."window" = 'month')
            INTO v_window_ids, v_scope_ids, v_left, v_spent, v_limits, v_scopes, v_resets, v_held_change, v_spent_change,
                v_slots, v_open, v_monthly
            FROM budget b
            CROSS JOIN LATERAL (SELECT window_start(b."window", p_now) AS start) AS s
            LEFT JOIN budget_window w ON w.budget_id = b.id AND w.window_start = s.start
            WHERE b.organisation_id = v_organisation_id AND b.scope_id = ANY (v_payers);
            EXIT WHEN cardinality(p_request_ids) = 0 OR (v_open = v_slots
                AND (p_default_budget_nano IS NULL OR p_user_ids <@ coalesce(v_monthly, '{}')));
            PERFORM open_windows(v_organisation_id, v_payers, p_user_ids, p_default_budget_nano, p_now);
        END LOOP;
        FOR v_i IN 1 .. coalesce(cardinality(v_ended.window_ids), 0) LOOP
            v_slot := coalesce(array_position(v_window_ids, v_ended.window_ids[v_i]), coalesce(cardinality(v_window_ids), 0) + 1);
            v_window_ids[v_slot] := v_ended.window_ids[v_i];
            v_held_change[v_slot] := -v_ended.window_held[v_i]; v_spent_change[v_slot] := v_ended.window_spent[v_i];
            IF v_slot <= v_slots THEN
                v_left[v_slot] := v_left[v_slot] + v_ended.window_held[v_i] - v_ended.window_spent[v_i];
                v_spent[v_slot] := v_spent[v_slot] + v_ended.window_spent[v_i];
            END IF;
        END LOOP;
    END IF;

    v_payers := NULL;
    FOR v_i IN 1 .. cardinality(p_settle_ids) LOOP
        call := v_i; v_at := array_position(v_ended.calls, v_i); outcome := CASE WHEN v_at IS NULL THEN 'not_held' ELSE 'settled' END;
        amount_nano := v_ended.costs[v_at]; house_loss_nano := v_ended.losses[v_at];
        v_asking := ARRAY[v_organisation_id, v_ended.team_ids[v_at], v_ended.user_ids[v_at], v_ended.key_ids[v_at]];
        IF v_payers IS DISTINCT FROM v_asking THEN
            v_payers := v_asking;
            SELECT CASE WHEN v_wallet_nano IS NOT NULL THEN greatest(0, least(v_wallet_nano, min(l.nano)))
                ELSE remaining_nano(v_organisation_id, v_payers[2], v_payers[3], v_payers[4], p_now) END INTO v_headroom
            FROM unnest(v_scope_ids, v_left) AS l (scope_id, nano) WHERE l.scope_id = ANY (v_payers);
        END IF;
        remaining_nano := CASE WHEN v_at IS NOT NULL THEN v_headroom END;
        RETURN NEXT;
    END LOOP;

    v_payers := NULL; house_loss_nano := NULL;
    SELECT array_agg(h.request_id) INTO v_known FROM hold h WHERE h.request_id = ANY (p_request_ids);
    FOR v_i IN 1 .. cardinality(p_request_ids) LOOP
        call := v_i; outcome := 'held'; amount_nano := NULL; granted_output_tokens := NULL; expires_at := NULL; remaining_nano := NULL;
        scope := NULL; scope_id := NULL; limit_nano := NULL; spent_nano := NULL; held_nano := NULL; resets_at := NULL;
        IF p_request_ids[v_i] = ANY (v_known) THEN
            SELECT * INTO outcome, amount_nano, price_version, free, granted_output_tokens, expires_at, remaining_nano
            FROM reserved_before(p_request_ids[v_i], v_organisation_id, p_team_ids[v_i], p_user_ids[v_i], p_key_ids[v_i],
                                 p_models[v_i], p_input_tokens_max[v_i], p_now);
            RETURN NEXT; CONTINUE;
        END IF;
        IF v_price.model IS DISTINCT FROM p_models[v_i] THEN
            SELECT p.* INTO v_price FROM price p
            WHERE p.model = p_models[v_i] AND p.effective_from <= p_now AND (p.effective_to IS NULL OR p.effective_to > p_now)
            ORDER BY p.effective_from DESC LIMIT 1;
        END IF;
        price_version := v_price.id; free := v_price.free;
        IF price_version IS NULL THEN
            outcome := 'price_unknown'; RETURN NEXT; CONTINUE;
        END IF;
        v_asking := ARRAY[v_organisation_id, p_team_ids[v_i], p_user_ids[v_i], p_key_ids[v_i]];
        IF v_payers IS DISTINCT FROM v_asking THEN
            v_payers := v_asking; v_own := '{}'; v_own_windows := '{}';
            FOR v_slot IN 1 .. coalesce(v_slots, 0) LOOP
                CONTINUE WHEN (v_scope_ids[v_slot] = ANY (v_payers)) IS NOT TRUE;
                v_own := v_own || v_slot; v_own_windows := v_own_windows || v_window_ids[v_slot];
            END LOOP;
        END IF;
        expires_at := v_clock + make_interval(secs => p_ttl_s); granted_output_tokens := p_output_tokens_max[v_i]; amount_nano := 0;
        v_headroom := v_wallet_nano; v_tightest := NULL;
        FOREACH v_slot IN ARRAY v_own LOOP
            IF v_left[v_slot] < v_headroom THEN
                v_headroom := v_left[v_slot]; v_tightest := v_slot;
            END IF;
        END LOOP;
        IF NOT free THEN
            v_input_num := p_input_tokens_max[v_i]::numeric * v_price.input_bound_nano_per_mtok;
            v_unit_num := p_choices[v_i]::numeric * v_price.output_bound_nano_per_mtok;
            IF v_input_num + v_unit_num * granted_output_tokens > v_headroom::numeric * 1000000 THEN
                -- What the headroom buys; -1 when not even the input fits.
                granted_output_tokens := CASE WHEN v_input_num > v_headroom::numeric * 1000000 OR v_unit_num = 0 THEN -1
                    ELSE div(v_headroom::numeric * 1000000 - v_input_num, v_unit_num) END;
                v_enough := least(p_output_tokens_max[v_i], p_output_tokens_min);
                IF granted_output_tokens < v_enough THEN
                    outcome := CASE WHEN v_tightest IS NULL THEN 'insufficient_credits' ELSE 'budget_exceeded' END;
                    scope := coalesce(v_scopes[v_tightest], 'wallet'); scope_id := coalesce(v_scope_ids[v_tightest], v_book.wallet_id);
                    limit_nano := coalesce(v_limits[v_tightest], v_wallet_nano); resets_at := v_resets[v_tightest];
                    spent_nano := coalesce(v_spent[v_tightest], 0); held_nano := limit_nano - spent_nano - v_headroom;
                    IF v_tightest IS NULL THEN
                        SELECT a.balance_nano + v_total_nano - coalesce(v_ended.back_nano, 0) INTO held_nano
                        FROM account a WHERE a.id = v_book.held_id;
                    END IF;
                    -- The least this request could be admitted with, so that the refusal can say how much is missing.
                    amount_nano := div(v_input_num + v_unit_num * v_enough + 999999, 1000000);
                    remaining_nano := greatest(v_headroom, 0); granted_output_tokens := 0; RETURN NEXT; CONTINUE;
                END IF;
            END IF;
            amount_nano := div(v_input_num + v_unit_num * granted_output_tokens + 999999, 1000000);
            v_wallet_nano := v_wallet_nano - amount_nano; v_total_nano := v_total_nano + amount_nano;
            FOREACH v_slot IN ARRAY v_own LOOP
                v_left[v_slot] := v_left[v_slot] - amount_nano; v_held_change[v_slot] := v_held_change[v_slot] + amount_nano;
            END LOOP;
        END IF;
        remaining_nano := CASE WHEN v_headroom IS NULL
            THEN remaining_nano(v_organisation_id, p_team_ids[v_i], p_user_ids[v_i], p_key_ids[v_i], p_now)
            ELSE greatest(v_headroom - amount_nano, 0) END;
        v_held := v_held || call; v_held_ids := v_held_ids || p_request_ids[v_i]; v_held_free := v_held_free || free;
        v_prices := v_prices || price_version; v_amounts := v_amounts || amount_nano;
        v_granted := v_granted || granted_output_tokens; v_windows := v_windows || CASE WHEN free THEN '{}' ELSE v_own_windows::text END;
        RETURN NEXT;
    END LOOP;

    PERFORM post_group(v_book, v_ended, v_window_ids, v_held_change, v_spent_change, v_held_ids, v_amounts, v_total_nano);
    IF v_held <> '{}' THEN
        -- By id: two groups of free models, which pass no gate, may hold the same ids.
        INSERT INTO hold (request_id, state, organisation_id, team_id, user_id, key_id, model, provider, kind, free, price_id,
            amount_nano, input_tokens_max, input_tokens_floor, output_tokens_max, choices, window_ids, ttl_s, created_at, expires_at)
        SELECT d.request_id, 'held', v_organisation_id, p_team_ids[d.call], p_user_ids[d.call], p_key_ids[d.call],
            p_models[d.call], p_providers[d.call], p_kinds[d.call], d.free, d.price_id, d.amount, p_input_tokens_max[d.call],
            p_input_tokens_floor[d.call], d.granted, p_choices[d.call], d.windows::bigint[], p_ttl_s,
            v_clock, v_clock + make_interval(secs => p_ttl_s)
        FROM unnest(v_held, v_held_ids, v_held_free, v_prices, v_amounts, v_granted, v_windows)
            AS d (call, request_id, free, price_id, amount, granted, windows)
        ORDER BY d.request_id;
    END IF;
END $$;
