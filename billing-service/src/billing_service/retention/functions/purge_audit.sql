-- Deletes entries of the audit trail that are older than p_keep, p_rows_max at most; how many. The service's role can delete none
-- itself, and this deletes none that is younger than 90 days, so a person with the service's password cannot hide an act.
CREATE OR REPLACE FUNCTION purge_audit(p_keep interval, p_rows_max integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = billing, pg_temp AS $$
DECLARE
    v_before uuid := uuidv7(-p_keep);  -- ids grow with time, so the primary key finds the oldest
    v_gone bigint;
BEGIN
    IF p_keep < interval '90 days' THEN
        RAISE EXCEPTION 'the audit trail is kept for 90 days at least';
    END IF;
    DELETE FROM audit WHERE id IN (
        SELECT a.id FROM audit a WHERE a.id < v_before AND a.at < now() - p_keep ORDER BY a.id LIMIT least(p_rows_max, 10000));
    GET DIAGNOSTICS v_gone = ROW_COUNT;
    RETURN v_gone;
END $$;

DO $$
BEGIN
    REVOKE EXECUTE ON FUNCTION purge_audit FROM PUBLIC;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'billing_app') THEN
        GRANT EXECUTE ON FUNCTION purge_audit TO billing_app;
    END IF;
END $$;
