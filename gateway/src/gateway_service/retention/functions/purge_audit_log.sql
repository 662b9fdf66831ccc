-- Deletes acts that are older than p_keep, p_rows_max at most; how many. The service's role can delete none itself, and this deletes
-- none that is younger than 90 days, so a person with the service's password cannot hide an act.
CREATE OR REPLACE FUNCTION purge_audit_log(p_keep interval, p_rows_max integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = gateway, pg_temp AS $$
DECLARE
    v_before uuid := uuidv7(-p_keep);  -- ids grow with time, so the primary key finds the oldest
    v_gone bigint;
BEGIN
    IF p_keep < interval '90 days' THEN
        RAISE EXCEPTION 'the record of acts is kept for 90 days at least';
    END IF;
    DELETE FROM audit_log WHERE id IN (
        SELECT a.id FROM audit_log a WHERE a.id < v_before AND a.created_at < now() - p_keep ORDER BY a.id LIMIT least(p_rows_max, 10000));
    GET DIAGNOSTICS v_gone = ROW_COUNT;
    RETURN v_gone;
END $$;

DO $$
BEGIN
    REVOKE EXECUTE ON FUNCTION purge_audit_log FROM PUBLIC;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'gateway_app') THEN
        GRANT EXECUTE ON FUNCTION purge_audit_log TO gateway_app;
    END IF;
END $$;
