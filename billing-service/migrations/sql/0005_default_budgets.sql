-- Default budgets of people who are seen at the same moment share one ceiling, and large ones do not overflow.

-- The monthly budget every person has until an administrator sets one, as far as the ceiling of all of them together reaches.
-- p_limit_nano NULL: none by policy. The book must be open.
CREATE OR REPLACE FUNCTION ensure_default_budget(p_organisation_id uuid, p_user_id uuid, p_limit_nano bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF p_limit_nano IS NULL OR EXISTS (SELECT FROM budget b WHERE b.organisation_id = p_organisation_id AND b.scope_id = p_user_id
                                       AND b.scope = 'user' AND b."window" = 'month') THEN
        RETURN;
    END IF;
    -- The gate of the organisation: what is left of the ceiling is given away once.
    PERFORM 1 FROM book k JOIN account a ON a.id = k.wallet_id WHERE k.organisation_id = p_organisation_id FOR NO KEY UPDATE OF a;
    INSERT INTO budget (organisation_id, scope, scope_id, "window", limit_nano, is_default)
    SELECT p_organisation_id, 'user', p_user_id, 'month', greatest(0, least(p_limit_nano, (
        SELECT c.amount_nano - coalesce((SELECT sum(b.limit_nano) FROM budget b WHERE b.organisation_id = p_organisation_id
                                         AND b.is_default), 0)
        FROM policy c WHERE c.name = 'default_budgets_max')))::bigint, true
    ON CONFLICT DO NOTHING;
END $$;

-- Bring the budgets that nobody set to the settings of today, the oldest first. Windows only widen, so no hold breaks.
-- p_limit_nano NULL removes them; p_max_nano NULL: no ceiling.
CREATE OR REPLACE FUNCTION apply_default_budgets(p_limit_nano bigint, p_max_nano bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    IF p_max_nano IS NULL THEN
        DELETE FROM policy WHERE name = 'default_budgets_max';
    ELSE
        INSERT INTO policy VALUES ('default_budgets_max', p_max_nano)
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
