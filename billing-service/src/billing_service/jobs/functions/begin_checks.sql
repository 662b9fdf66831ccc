-- Whether the checks are due: true for one caller in each p_interval_s, whichever process it is in.
CREATE OR REPLACE FUNCTION begin_checks(p_interval_s double precision) RETURNS boolean LANGUAGE sql AS $$
    INSERT INTO invariant_check AS c (name, checked_at) VALUES ('all', clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET checked_at = excluded.checked_at
    WHERE c.checked_at < excluded.checked_at - make_interval(secs => p_interval_s)
    RETURNING true
$$;
