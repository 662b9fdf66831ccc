-- Settle many dispatches of one organisation: charge what each cost up to its hold, return the rest. One row a call, `call`
-- counts from 1. result: settled | released | unknown. p_buckets has seven numbers a call, as in settle_and_reserve(). A repeat
-- returns the first result, a hold that expired is settled late.
CREATE OR REPLACE FUNCTION settle_many(
    p_request_ids uuid[], p_buckets bigint[], p_sources text[], p_outcomes text[], p_occurred_at timestamptz[], p_latency_ms integer[])
RETURNS TABLE (call integer, result text, cost_nano bigint, house_loss_nano bigint, remaining_nano bigint)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_settled integer[] := '{}';
    r record;
BEGIN
    -- Those that have ended too, all in one order.
    PERFORM FROM hold h WHERE h.request_id = ANY (p_request_ids) ORDER BY h.request_id FOR NO KEY UPDATE;
    FOR r IN
        SELECT s.* FROM settle_and_reserve(p_request_ids, p_buckets, p_sources, p_outcomes, p_occurred_at, p_latency_ms,
            NULL, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', 0, 0, 0, NULL) AS s
        WHERE s.outcome = 'settled'
    LOOP
        v_settled := v_settled || r.call;
        call := r.call; result := r.outcome; cost_nano := r.amount_nano; house_loss_nano := r.house_loss_nano;
        remaining_nano := r.remaining_nano;
        RETURN NEXT;
    END LOOP;
    RETURN QUERY
    SELECT u.call::integer, e.* FROM unnest(p_request_ids, p_sources, p_outcomes, p_latency_ms) WITH ORDINALITY
        AS u (request_id, source, outcome, latency_ms, call)
    LEFT JOIN hold h ON h.request_id = u.request_id
    CROSS JOIN LATERAL settle_ended(h, p_buckets[u.call * 7 - 6 : u.call * 7], u.source, u.outcome, u.latency_ms) AS e
    WHERE u.call <> ALL (v_settled);
END $$;
