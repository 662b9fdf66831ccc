-- When the window of a budget began that p_at lies in, in UTC.
CREATE OR REPLACE FUNCTION window_start(p_window text, p_at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN p_window = 'total' THEN timestamptz '1970-01-01 00:00:00+00' ELSE date_trunc(p_window, p_at, 'UTC') END
$$;
