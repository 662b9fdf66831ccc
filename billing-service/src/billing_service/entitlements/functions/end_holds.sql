-- End holds of one organisation as settled, with what each cost, its usage event and its outbox row; the caller moves
-- the money. What is not held is passed over. p_buckets has seven numbers a call: input, cache read, cache write, audio
-- in, output, reasoning, audio out.
CREATE OR REPLACE FUNCTION end_holds(
    p_request_ids uuid[], p_buckets bigint[], p_sources text[], p_outcomes text[], p_occurred_at timestamptz[],
    p_latency_ms integer[], p_clock timestamptz)
RETURNS ended_group LANGUAGE plpgsql AS $$
DECLARE
    v_group ended_group;
BEGIN
    -- An event lies between the admission and now, whatever the caller's clock
    -- says: it can neither predate its hold nor reach ahead.
    WITH asked AS (
        SELECT u.call::integer, u.request_id, u.source, u.outcome, u.occurred_at, u.latency_ms,
            p_buckets[u.call * 7 - 6 : u.call * 7] AS n
        FROM unnest(p_request_ids, p_sources, p_outcomes, p_occurred_at, p_latency_ms) WITH ORDINALITY
            AS u (request_id, source, outcome, occurred_at, latency_ms, call)
    ), locked AS MATERIALIZED (  -- in one order, whatever plan the update has
        SELECT h.request_id FROM hold h WHERE h.request_id = ANY (p_request_ids) AND h.state = 'held'
        ORDER BY h.request_id FOR NO KEY UPDATE
    ), ended AS (
        UPDATE hold h SET state = 'settled', ended_at = p_clock,
            event_at = greatest(h.created_at, least(s.occurred_at, p_clock)),
            cost_nano = CASE WHEN h.free THEN 0 ELSE least(h.amount_nano,
                token_cost_nano(p, s.n[1], s.n[2], s.n[3], s.n[4], s.n[5], s.n[6], s.n[7])) END,
            house_loss_nano = CASE WHEN h.free THEN 0 ELSE greatest(0,
                token_cost_nano(p, s.n[1], s.n[2], s.n[3], s.n[4], s.n[5], s.n[6], s.n[7]) - h.amount_nano) END,
            input_tokens = s.n[1] + s.n[2] + s.n[3] + s.n[4], output_tokens = s.n[5] + s.n[6] + s.n[7]
        FROM locked l, asked s, price p
        WHERE h.request_id = l.request_id AND s.request_id = l.request_id AND h.state = 'held' AND p.id = h.price_id
        RETURNING s.call, s.n, s.source, s.outcome, s.latency_ms, h.request_id, h.organisation_id, h.team_id, h.user_id,
            h.key_id, h.model, h.provider, h.price_id, h.window_ids, h.amount_nano, h.event_at, h.cost_nano,
            h.house_loss_nano, h.input_tokens, h.output_tokens
    ), recorded AS (
        INSERT INTO usage_event (request_id, "timestamp", customer_id, team_id, user_id, key_id, model, provider,
            tokens_input, tokens_output, input_tokens, cache_read_tokens, cache_write_tokens, audio_in_tokens,
            output_tokens, reasoning_tokens, audio_out_tokens, cost_nano, house_loss_nano, price_version, source,
            outcome, latency_ms)
        SELECT e.request_id, e.event_at, e.organisation_id, e.team_id, e.user_id, e.key_id, e.model, e.provider,
            e.input_tokens, e.output_tokens, e.n[1], e.n[2], e.n[3], e.n[4],
            e.n[5], e.n[6], e.n[7], e.cost_nano, e.house_loss_nano, e.price_id, e.source,
            e.outcome, e.latency_ms
        FROM ended e
    ), announced AS (
        INSERT INTO outbox (id, topic, key, payload)
        SELECT uuidv7(), 'usage.recorded', e.organisation_id::text, jsonb_build_object(
            'transaction_id', e.request_id, 'customer_id', e.organisation_id, 'timestamp', e.event_at, 'model', e.model,
            'provider', e.provider, 'tokens_input', e.input_tokens, 'tokens_output', e.output_tokens,
            'cost_usd', trim_scale(e.cost_nano * 0.000000001), 'cost_nano', e.cost_nano, 'request_id', e.request_id,
            'user_id', e.user_id, 'team_id', e.team_id, 'key_id', e.key_id)
        FROM ended e
    )
    SELECT e.*, m.* INTO v_group
    FROM (SELECT array_agg(e.organisation_id), array_agg(e.call), array_agg(e.request_id), array_agg(e.amount_nano),
              array_agg(e.cost_nano), array_agg(e.house_loss_nano), array_agg(e.team_id), array_agg(e.user_id),
              array_agg(e.key_id), sum(e.amount_nano)::bigint, sum(e.cost_nano)::bigint,
              sum(e.house_loss_nano)::bigint
          FROM ended e) AS e
    CROSS JOIN (SELECT array_agg(w.id), array_agg(w.held), array_agg(w.spent) FROM (
        SELECT i.id, sum(e.amount_nano)::bigint AS held, sum(e.cost_nano)::bigint AS spent
        FROM ended e CROSS JOIN LATERAL unnest(e.window_ids) AS i (id) GROUP BY i.id) AS w) AS m;
    RETURN v_group;
END $$;
