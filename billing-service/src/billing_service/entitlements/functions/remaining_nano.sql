-- What is left to a principal: the least of the wallet and of each budget's current window.
CREATE OR REPLACE FUNCTION remaining_nano(p_organisation_id uuid, p_team_id uuid, p_user_id uuid, p_key_id uuid, p_at timestamptz)
RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT greatest(0, least(
        (SELECT a.balance_nano FROM book k JOIN account a ON a.id = k.wallet_id WHERE k.organisation_id = p_organisation_id),
        (SELECT min(b.limit_nano - coalesce(w.spent_nano + w.held_nano, 0))
         FROM budget b LEFT JOIN budget_window w ON w.budget_id = b.id AND w.window_start = window_start(b."window", p_at)
         WHERE b.organisation_id = p_organisation_id AND b.scope_id IN (p_organisation_id, p_team_id, p_user_id, p_key_id))))
$$;
