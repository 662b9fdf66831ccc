-- Change a budget's limit under the gate, and the current window's with it. A limit below what is already spent and held
-- refuses new holds at once; the window keeps the higher bound until it ends.
CREATE OR REPLACE FUNCTION set_budget(p_organisation_id uuid, p_scope text, p_scope_id uuid, p_window text, p_limit_nano bigint,
                           p_is_default boolean, p_now timestamptz DEFAULT now()) RETURNS budget
LANGUAGE plpgsql AS $$
DECLARE
    v_budget budget;
BEGIN
    PERFORM 1 FROM book k JOIN account a ON a.id = k.wallet_id WHERE k.organisation_id = p_organisation_id FOR NO KEY UPDATE OF a;
    INSERT INTO budget AS b (organisation_id, scope, scope_id, "window", limit_nano, is_default)
    VALUES (p_organisation_id, p_scope, p_scope_id, p_window, p_limit_nano, p_is_default)
    ON CONFLICT ON CONSTRAINT budget_one_per_window DO UPDATE
        SET limit_nano = excluded.limit_nano, is_default = excluded.is_default, updated_at = now()
    RETURNING b.* INTO v_budget;
    UPDATE budget_window w SET limit_nano = greatest(p_limit_nano, w.spent_nano + w.held_nano)
    WHERE w.budget_id = v_budget.id AND w.window_start >= window_start(p_window, p_now);
    RETURN v_budget;
END $$;
