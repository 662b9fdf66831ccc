-- When a window of a budget that began at p_start ends.
CREATE OR REPLACE FUNCTION window_end(p_window text, p_start timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE p_window
        WHEN 'hour' THEN p_start + interval '1 hour'
        WHEN 'day' THEN (p_start AT TIME ZONE 'UTC' + interval '1 day') AT TIME ZONE 'UTC'
        WHEN 'week' THEN (p_start AT TIME ZONE 'UTC' + interval '7 days') AT TIME ZONE 'UTC'
        WHEN 'month' THEN (p_start AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'
    END
$$;
