-- Make what reserves need of budgets and do not find: the default budget of each of p_user_ids (p_default_budget_nano NULL:
-- none by policy), and the windows of p_now of all who pay.
CREATE OR REPLACE FUNCTION open_windows(
    p_organisation_id uuid, p_payers uuid[], p_user_ids uuid[], p_default_budget_nano bigint, p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM ensure_default_budget(p_organisation_id, u.id, p_default_budget_nano) FROM unnest(p_user_ids) AS u (id);
    INSERT INTO budget_window (budget_id, window_start, limit_nano)
    SELECT b.id, window_start(b."window", p_now), b.limit_nano FROM budget b
    WHERE b.organisation_id = p_organisation_id AND b.scope_id = ANY (p_payers)
    ON CONFLICT DO NOTHING;
END $$;
