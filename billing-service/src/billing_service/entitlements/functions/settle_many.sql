-- Settle many dispatches of one organisation: charge what each cost up to its hold, return the rest. One row a call, `call`
-- counts from 1. result: settled | released | unknown. p_buckets has seven numbers a call, as in ended_hold. A repeat returns the
-- first result; the same dispatch twice in one batch is refused whole by usage_key.
CREATE OR REPLACE FUNCTION settle_many(
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
    SELECT array_agg(hold_end(p_call => u.call::integer, p_was => h, p_at => greatest(h.created_at, least(u.occurred_at, v_now)),
                              p_total_nano => t.nano::bigint, p_buckets => b.n, p_source => u.source, p_outcome => u.outcome,
                              p_latency_ms => u.latency_ms))
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
