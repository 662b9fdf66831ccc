-- Holds past their time, oldest first; none until Postgres itself has been up for a full TTL, because nobody could renew before.
CREATE OR REPLACE FUNCTION overdue_holds(p_ttl_s double precision, p_rows_max integer) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    SELECT h.request_id FROM hold h
    WHERE h.state = 'held' AND h.expires_at <= clock_timestamp()
      AND clock_timestamp() > pg_postmaster_start_time() + make_interval(secs => p_ttl_s)
    ORDER BY h.created_at LIMIT p_rows_max
$$;
