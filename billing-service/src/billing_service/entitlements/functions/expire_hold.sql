-- Expire one hold whose time is over: charge its checkpoint, or the input floor when there is none, to the provisional account
-- `expired`, return the rest; nothing when it was never begun. One hold a call, because a transaction may touch one organisation
-- only. false: nothing to do.
CREATE OR REPLACE FUNCTION expire_hold(p_request_id uuid, p_now timestamptz DEFAULT clock_timestamp()) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_hold hold;
    v_price price;
    v_book book;
    v_cost bigint := 0;
    v_input bigint := 0;
    v_output bigint := 0;
BEGIN
    SELECT * INTO v_hold FROM hold h WHERE h.request_id = p_request_id AND h.state = 'held' AND h.expires_at <= p_now
    FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF hold_begun(v_hold) THEN
        v_input := v_hold.input_tokens_floor;
        v_output := least(v_hold.checkpoint_output_tokens, v_hold.output_tokens_max * v_hold.choices);
    END IF;
    IF NOT v_hold.free THEN
        SELECT * INTO v_price FROM price p WHERE p.id = v_hold.price_id;
        v_cost := least(token_cost_nano(v_price, v_input, 0, 0, 0, v_output, 0, 0), v_hold.amount_nano);
        SELECT * INTO v_book FROM book k WHERE k.organisation_id = v_hold.organisation_id;
        UPDATE account a SET balance_nano = a.balance_nano + v_hold.amount_nano - v_cost WHERE a.id = v_book.wallet_id;
        PERFORM move_windows(v_hold.window_ids, v_hold.amount_nano, v_cost);
        UPDATE account a SET balance_nano = a.balance_nano - v_hold.amount_nano WHERE a.id = v_book.held_id;
        UPDATE account a SET balance_nano = a.balance_nano + v_cost WHERE a.id = v_book.expired_id;
        INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
        SELECT v_hold.organisation_id, v_book.held_id, t.credit, t.amount, t.reason, p_request_id::text
        FROM (VALUES (v_book.expired_id, v_cost, 'expire'),
                     (v_book.wallet_id, v_hold.amount_nano - v_cost, 'return')) AS t (credit, amount, reason)
        WHERE t.amount > 0;
    END IF;
    PERFORM record_usage(ARRAY[hold_end(p_call => 1, p_was => v_hold, p_at => v_hold.created_at, p_total_nano => v_cost,
        p_buckets => ARRAY[v_input, 0, 0, 0, v_output, 0, 0], p_source => 'partial', p_outcome => 'expired', p_latency_ms => NULL)]);
    UPDATE hold h SET state = 'expired', ended_at = clock_timestamp(), event_at = v_hold.created_at, cost_nano = v_cost,
        input_tokens = v_input, output_tokens = v_output
    WHERE h.request_id = p_request_id;
    RETURN true;
END $$;
