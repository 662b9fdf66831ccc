-- Nothing calls it any more: settle_and_reserve() moves this money. It stays for calls that were under way at an update.
-- Move the money of ended holds: what they cost to the revenue, the rest back. The wallet comes first: its row is the gate.
-- A provider's bill beyond the hold is the operator's loss, never the customer's; revenue is booked gross.
CREATE OR REPLACE FUNCTION charge(p_organisation_id uuid, p_ended ended_hold[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_book book;
    v_held bigint;
    v_total bigint;
    v_cost bigint;
BEGIN
    SELECT * INTO v_book FROM book k WHERE k.organisation_id = p_organisation_id;
    IF NOT FOUND THEN
        RETURN;  -- nothing but free models so far
    END IF;
    SELECT sum((e.was).amount_nano), sum(e.total_nano), sum(e.cost_nano) INTO v_held, v_total, v_cost FROM unnest(p_ended) AS e;
    UPDATE account a SET balance_nano = a.balance_nano + v_held - v_cost WHERE a.id = v_book.wallet_id;
    UPDATE budget_window w SET held_nano = w.held_nano - d.held, spent_nano = w.spent_nano + d.spent
    FROM (SELECT i.id, sum((e.was).amount_nano) AS held, sum(e.cost_nano) AS spent
          FROM unnest(p_ended) AS e CROSS JOIN LATERAL unnest((e.was).window_ids) AS i (id) GROUP BY i.id) AS d
    WHERE w.id = d.id;
    UPDATE account a SET balance_nano = a.balance_nano + d.amount
    FROM (VALUES (v_book.held_id, -v_held), (v_book.usage_revenue_id, v_total), (v_book.house_loss_id, v_cost - v_total)) AS d (id, amount)
    WHERE a.id = d.id AND d.amount <> 0;
    INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
    SELECT p_organisation_id, t.debit, t.credit, t.amount, t.reason, (e.was).request_id::text
    FROM unnest(p_ended) AS e CROSS JOIN LATERAL (VALUES
        (v_book.held_id, v_book.usage_revenue_id, e.cost_nano, 'charge'),
        (v_book.held_id, v_book.wallet_id, (e.was).amount_nano - e.cost_nano, 'return'),
        (v_book.house_loss_id, v_book.usage_revenue_id, e.total_nano - e.cost_nano, 'house_loss')) AS t (debit, credit, amount, reason)
    WHERE t.amount > 0;
END $$;
