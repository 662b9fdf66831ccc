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
