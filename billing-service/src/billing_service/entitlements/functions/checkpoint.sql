-- Record the output so far of many holds and renew them for p_ttl_s, which is their time from now on, in one statement. Returns
-- the ids that are still held. hold_begun() compares with the new ttl_s, so a renewed hold stays a begun one however short its time.
CREATE OR REPLACE FUNCTION checkpoint(p_request_ids uuid[], p_output_tokens bigint[], p_ttl_s double precision) RETURNS SETOF uuid
LANGUAGE sql AS $$
    WITH reported AS (
        SELECT i.request_id, max(i.output_tokens) AS output_tokens
        FROM unnest(p_request_ids, p_output_tokens) AS i (request_id, output_tokens) GROUP BY i.request_id
    ), locked AS (
        SELECT h.request_id, r.output_tokens FROM hold h JOIN reported r USING (request_id)
        WHERE h.state = 'held' ORDER BY h.request_id FOR NO KEY UPDATE OF h
    )
    UPDATE hold h SET checkpoint_output_tokens = greatest(h.checkpoint_output_tokens, l.output_tokens),
        ttl_s = p_ttl_s, expires_at = clock_timestamp() + make_interval(secs => p_ttl_s)
    FROM locked l WHERE h.request_id = l.request_id AND h.state = 'held'
    RETURNING h.request_id
$$;
