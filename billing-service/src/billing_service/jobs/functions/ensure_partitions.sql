-- Monthly partitions from this month to p_months ahead. Runs as the owner, because the service role may not create tables.
CREATE OR REPLACE FUNCTION ensure_partitions(p_months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = billing, pg_temp AS $$
DECLARE
    v_from timestamptz;
    v_name text;
    v_made integer := 0;
    r record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('billing.ensure_partitions'));
    FOR r IN SELECT t, m FROM unnest(ARRAY['transfer', 'usage_event']) AS t, generate_series(0, least(p_months, 24)) AS m LOOP
        v_from := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => r.m)) AT TIME ZONE 'UTC';
        v_name := format('%s_%s', r.t, to_char(v_from AT TIME ZONE 'UTC', 'YYYY_MM'));
        IF to_regclass('billing.' || v_name) IS NULL THEN
            EXECUTE format('CREATE TABLE billing.%I PARTITION OF billing.%I FOR VALUES FROM (%L) TO (%L)', v_name, r.t, v_from,
                           (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => r.m + 1)) AT TIME ZONE 'UTC');
            IF r.t = 'transfer' AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'billing_app') THEN
                EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON billing.%I FROM billing_app', v_name);
            END IF;
            v_made := v_made + 1;
        END IF;
    END LOOP;
    RETURN v_made;
END $$;

DO $$
BEGIN
    REVOKE EXECUTE ON FUNCTION ensure_partitions FROM PUBLIC;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'billing_app') THEN
        GRANT EXECUTE ON FUNCTION ensure_partitions TO billing_app;
    END IF;
END $$;

SELECT ensure_partitions(3);  -- a new installation has room for its first entry
