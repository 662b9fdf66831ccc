-- Balances against the sum of entries: entries never change, so those before p_until are added up once. Returns the accounts that
-- do not agree; only when there are none does the mark move on.
CREATE OR REPLACE FUNCTION check_balances(p_until timestamptz) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_from timestamptz;
    v_wrong uuid[];
BEGIN
    INSERT INTO invariant_check (name) VALUES ('balances') ON CONFLICT DO NOTHING;
    SELECT c.until INTO v_from FROM invariant_check c WHERE c.name = 'balances' FOR UPDATE;
    -- One statement, one snapshot: a running system never looks broken.
    WITH recent AS MATERIALIZED (
        SELECT l.account, sum(l.amount) AS amount, coalesce(sum(l.amount) FILTER (WHERE t.at < p_until), 0) AS settled
        FROM transfer t
        CROSS JOIN LATERAL (VALUES (t.credit_account, t.amount_nano), (t.debit_account, -t.amount_nano)) AS l (account, amount)
        WHERE t.at >= v_from GROUP BY l.account
    ), compared AS (
        SELECT coalesce(a.id, b.account, r.account) AS account, r.settled,
               coalesce(a.balance_nano, 0) <> coalesce(b.amount_nano, 0) + coalesce(r.amount, 0) AS wrong
        FROM account a
        FULL JOIN checked_balance b ON b.account = a.id
        FULL JOIN recent r ON r.account = coalesce(a.id, b.account)
    ), kept AS (
        INSERT INTO checked_balance AS k (account, amount_nano)
        SELECT c.account, c.settled FROM compared c
        WHERE c.settled <> 0 AND p_until > v_from AND NOT EXISTS (SELECT FROM compared w WHERE w.wrong)
        ON CONFLICT (account) DO UPDATE SET amount_nano = k.amount_nano + excluded.amount_nano
    )
    SELECT array_agg(c.account) INTO v_wrong FROM compared c WHERE c.wrong;
    IF v_wrong IS NULL AND p_until > v_from THEN
        UPDATE invariant_check SET until = p_until WHERE name = 'balances';
    END IF;
    RETURN QUERY SELECT unnest(v_wrong);
END $$;
