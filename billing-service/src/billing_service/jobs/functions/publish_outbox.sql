-- Publish events of the outbox on p_channel, the oldest first, p_rows_max at most; how many. One that is too large for NOTIFY is told
-- by its id alone. One caller at a time keeps the order, the others find nothing to do. As shared.outbox.Relay does it, without a
-- way of each event to the service and back: that cost as much as the charge which it tells of.
CREATE OR REPLACE FUNCTION publish_outbox(p_channel text, p_rows_max integer) RETURNS integer
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_rows integer;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('outbox:' || current_schema())) THEN
        RETURN 0;
    END IF;
    WITH due AS (
        SELECT o.id FROM outbox o WHERE o.published_at IS NULL ORDER BY o.id LIMIT p_rows_max
    ), published AS (
        UPDATE outbox o SET published_at = now() FROM due d WHERE o.id = d.id RETURNING o.id, o.topic, o.key, o.payload
    ), messages AS (
        SELECT p.id, p.topic, p.key,
            jsonb_build_object('id', p.id, 'topic', p.topic, 'key', p.key, 'payload', p.payload)::text AS whole
        FROM published p ORDER BY p.id
    )
    SELECT count(pg_notify(p_channel, CASE WHEN octet_length(m.whole) <= 7500 THEN m.whole
        ELSE jsonb_build_object('id', m.id, 'topic', m.topic, 'key', m.key)::text END))
    INTO v_rows FROM messages m;
    RETURN v_rows;
END $$;
