-- Give a hold back whole: its request never reached the provider. An expired one gets its provisional charge back.
-- result: released | settled | unknown.
CREATE OR REPLACE FUNCTION release(p_request_id uuid, OUT result text) LANGUAGE plpgsql AS $$
DECLARE
    v_hold hold;
    v_book book;
BEGIN
    SELECT * INTO v_hold FROM hold h WHERE h.request_id = p_request_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        result := 'unknown';
        RETURN;
    END IF;
    IF v_hold.state = 'expired' THEN
        PERFORM settle_late(v_hold, ARRAY[0, 0, 0, 0, 0, 0, 0], 'reconciled', 'failed', NULL);
        UPDATE hold h SET state = 'released' WHERE h.request_id = p_request_id;
        result := 'released';
        RETURN;
    END IF;
    IF v_hold.state <> 'held' THEN
        result := v_hold.state;
        RETURN;
    END IF;
    IF v_hold.amount_nano > 0 THEN
        SELECT * INTO v_book FROM book k WHERE k.organisation_id = v_hold.organisation_id;
        UPDATE account a SET balance_nano = a.balance_nano + v_hold.amount_nano WHERE a.id = v_book.wallet_id;
        PERFORM move_windows(v_hold.window_ids, v_hold.amount_nano, 0);
        UPDATE account a SET balance_nano = a.balance_nano - v_hold.amount_nano WHERE a.id = v_book.held_id;
        INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
        VALUES (v_hold.organisation_id, v_book.held_id, v_book.wallet_id, v_hold.amount_nano, 'release', p_request_id::text);
    END IF;
    UPDATE hold h SET state = 'released', ended_at = clock_timestamp() WHERE h.request_id = p_request_id;
    result := 'released';
END $$;
