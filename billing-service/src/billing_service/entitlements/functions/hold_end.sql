-- A hold at its end. It costs at most what was held; what a provider bills beyond it is the difference of total_nano and cost_nano.
-- p_buckets: input, cache read, cache write, audio in, output, reasoning, audio out.
CREATE OR REPLACE FUNCTION hold_end(p_call integer, p_was hold, p_at timestamptz, p_total_nano bigint, p_buckets bigint[],
                                    p_source text, p_outcome text, p_latency_ms integer) RETURNS ended_hold
LANGUAGE sql IMMUTABLE AS $$
    SELECT ROW(p_call, p_was, p_at, p_total_nano, least(p_total_nano, (p_was).amount_nano), p_buckets,
        p_buckets[1] + p_buckets[2] + p_buckets[3] + p_buckets[4], p_buckets[5] + p_buckets[6] + p_buckets[7],
        p_source, p_outcome, p_latency_ms)::ended_hold
$$;
