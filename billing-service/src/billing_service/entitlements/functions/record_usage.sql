-- The usage events, the roll-up deltas and the outbox rows of ended holds; one place, so that the three cannot disagree.
CREATE OR REPLACE FUNCTION record_usage(p_ended ended_hold[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO usage_key (tenant, transaction_id) SELECT (e.was).organisation_id, (e.was).request_id::text FROM unnest(p_ended) AS e;
    INSERT INTO usage_event (request_id, "timestamp", customer_id, team_id, user_id, key_id, model, provider, tokens_input, tokens_output,
        input_tokens, cache_read_tokens, cache_write_tokens, audio_in_tokens, output_tokens, reasoning_tokens, audio_out_tokens,
        cost_nano, house_loss_nano, price_version, source, outcome, latency_ms)
    SELECT (e.was).request_id, e.at, (e.was).organisation_id, (e.was).team_id, (e.was).user_id, (e.was).key_id, (e.was).model,
        (e.was).provider, e.input_tokens, e.output_tokens, e.buckets[1], e.buckets[2], e.buckets[3], e.buckets[4], e.buckets[5],
        e.buckets[6], e.buckets[7], e.cost_nano, e.total_nano - e.cost_nano, (e.was).price_id, e.source, e.outcome, e.latency_ms
    FROM unnest(p_ended) AS e;
    INSERT INTO usage_rollup AS u (day, organisation_id, user_id, team_id, key_id, model, requests, input_tokens, output_tokens,
        cost_nano, house_loss_nano)
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
