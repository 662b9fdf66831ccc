-- Bring the budgets that nobody set to the settings of today, the oldest first. Windows only widen, so no hold breaks.
-- p_limit_nano NULL removes them; p_max_nano NULL: no ceiling.
CREATE OR REPLACE FUNCTION apply_default_budgets(p_limit_nano bigint, p_max_nano bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    IF p_max_nano IS NULL THEN
        DELETE FROM policy WHERE name = 'default_budgets_max';
    ELSE
        INSERT INTO policy (name, amount_nano) VALUES ('default_budgets_max', p_max_nano)
        ON CONFLICT (name) DO UPDATE SET amount_nano = excluded.amount_nano;
    END IF;
    IF p_limit_nano IS NULL THEN
        DELETE FROM budget WHERE is_default;
        RETURN;
    END IF;
    FOR r IN
        SELECT * FROM (
            SELECT b.organisation_id, b.scope, b.scope_id, b."window", b.limit_nano, greatest(0, least(p_limit_nano, p_max_nano
                - p_limit_nano::numeric * (row_number() OVER (PARTITION BY b.organisation_id ORDER BY b.id) - 1)))::bigint AS due_nano
            FROM budget b WHERE b.is_default) AS d
        WHERE d.limit_nano <> d.due_nano ORDER BY d.organisation_id, d.scope_id
    LOOP
        PERFORM set_budget(r.organisation_id, r.scope, r.scope_id, r."window", r.due_nano, true);
    END LOOP;
END $$;
