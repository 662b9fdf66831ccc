-- Give back a hold on the windows it was taken from and book what it cost there.
CREATE OR REPLACE FUNCTION move_windows(p_window_ids bigint[], p_held_nano bigint, p_spent_nano bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE budget_window w SET held_nano = w.held_nano - p_held_nano, spent_nano = w.spent_nano + p_spent_nano
    WHERE w.id = ANY (p_window_ids);
END $$;
