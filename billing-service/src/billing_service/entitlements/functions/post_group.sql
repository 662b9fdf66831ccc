-- Post what a group of settlements and reserves of one organisation moves, under its gate: windows, accounts, transfers, and
-- the keys and the roll-up of what was settled. p_held_nano and p_spent_nano are the changes of the windows; p_request_ids
-- are reserved, with p_amounts_nano. A provider's bill beyond the hold is the operator's loss, never the customer's;
-- revenue is booked gross.
CREATE OR REPLACE FUNCTION post_group(
    p_book book, p_ended ended_group, p_window_ids bigint[], p_held_nano bigint[], p_spent_nano bigint[],
    p_request_ids uuid[], p_amounts_nano bigint[], p_total_nano bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_back_nano bigint := coalesce(p_ended.back_nano, 0);
    v_cost_nano bigint := coalesce(p_ended.cost_nano, 0);
    v_loss_nano bigint := coalesce(p_ended.loss_nano, 0);
BEGIN
    IF p_total_nano > 0 OR v_back_nano > 0 OR v_loss_nano > 0 THEN
        UPDATE budget_window w SET held_nano = w.held_nano + d.held, spent_nano = w.spent_nano + d.spent
        FROM unnest(p_window_ids, p_held_nano, p_spent_nano) AS d (id, held, spent)
        WHERE w.id = d.id AND (d.held <> 0 OR d.spent <> 0);
        UPDATE account a SET balance_nano = a.balance_nano + d.amount
        FROM (VALUES (p_book.wallet_id, v_back_nano - v_cost_nano - p_total_nano),
                     (p_book.held_id, p_total_nano - v_back_nano),
                     (p_book.usage_revenue_id, v_cost_nano + v_loss_nano),
                     (p_book.house_loss_id, -v_loss_nano)) AS d (id, amount)
        WHERE a.id = d.id AND d.amount <> 0;
        INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
        SELECT p_book.organisation_id, t.debit, t.credit, t.amount, t.reason, t.request_id::text
        FROM (SELECT m.*, e.request_id
              FROM unnest(p_ended.request_ids, p_ended.amounts, p_ended.costs, p_ended.losses)
                  AS e (request_id, amount, cost, loss)
              CROSS JOIN LATERAL (VALUES
                  (p_book.held_id, p_book.usage_revenue_id, e.cost, 'charge'),
                  (p_book.held_id, p_book.wallet_id, e.amount - e.cost, 'return'),
                  (p_book.house_loss_id, p_book.usage_revenue_id, e.loss, 'house_loss')) AS m (debit, credit, amount, reason)
              UNION ALL
              SELECT p_book.wallet_id, p_book.held_id, d.amount, 'hold', d.request_id
              FROM unnest(p_request_ids, p_amounts_nano) AS d (request_id, amount)) AS t
        WHERE t.amount > 0;
    END IF;
    IF p_ended.request_ids IS NOT NULL THEN
        INSERT INTO usage_key (tenant, transaction_id)
        SELECT p_ended.organisation_ids[1], u.id::text FROM unnest(p_ended.request_ids) AS u (id);
        INSERT INTO usage_rollup AS u (day, organisation_id, user_id, team_id, key_id, model, requests, input_tokens,
            output_tokens, cost_nano, house_loss_nano)
        SELECT (h.event_at AT TIME ZONE 'UTC')::date, h.organisation_id, h.user_id, h.team_id, h.key_id, h.model,
            count(*), sum(h.input_tokens), sum(h.output_tokens), sum(h.cost_nano), sum(h.house_loss_nano)
        FROM hold h WHERE h.request_id = ANY (p_ended.request_ids)
        GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
        ON CONFLICT ON CONSTRAINT usage_rollup_once DO UPDATE SET
            requests = u.requests + excluded.requests, input_tokens = u.input_tokens + excluded.input_tokens,
            output_tokens = u.output_tokens + excluded.output_tokens, cost_nano = u.cost_nano + excluded.cost_nano,
            house_loss_nano = u.house_loss_nano + excluded.house_loss_nano;
    END IF;
END $$;
