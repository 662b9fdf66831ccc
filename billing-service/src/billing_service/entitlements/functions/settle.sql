-- settle_many() for one dispatch.
CREATE OR REPLACE FUNCTION settle(
    p_request_id uuid, p_buckets bigint[], p_source text, p_outcome text, p_occurred_at timestamptz, p_latency_ms integer,
    OUT result text, OUT cost_nano bigint, OUT house_loss_nano bigint, OUT remaining_nano bigint)
LANGUAGE sql AS $$
    SELECT s.result, s.cost_nano, s.house_loss_nano, s.remaining_nano
    FROM settle_many(ARRAY[p_request_id], p_buckets, ARRAY[p_source], ARRAY[p_outcome], ARRAY[p_occurred_at], ARRAY[p_latency_ms]) AS s
$$;
