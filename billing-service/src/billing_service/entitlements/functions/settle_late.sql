-- A settle that comes after the hold expired. Expiry booked a provisional charge to `expired`; only the difference is posted:
-- more, as far as hold, wallet and budgets still reach (the rest is house_loss); less, as a refund.
CREATE OR REPLACE FUNCTION settle_late(p_hold hold, p_buckets bigint[], p_source text, p_outcome text, p_latency_ms integer,
                            OUT cost_nano bigint, OUT house_loss_nano bigint)
LANGUAGE plpgsql AS $$
DECLARE
    v_price price;
    v_book book;
    v_total numeric := 0;
    v_kept bigint;
    v_extra bigint := 0;
    v_wallet_nano bigint;
    v_input bigint := p_buckets[1] + p_buckets[2] + p_buckets[3] + p_buckets[4];
    v_output bigint := p_buckets[5] + p_buckets[6] + p_buckets[7];
BEGIN
    cost_nano := 0; house_loss_nano := 0;
    IF NOT p_hold.free THEN
        SELECT * INTO v_price FROM price p WHERE p.id = p_hold.price_id;
        v_total := token_cost_nano(v_price, p_buckets[1], p_buckets[2], p_buckets[3], p_buckets[4], p_buckets[5], p_buckets[6], p_buckets[7]);
        SELECT * INTO v_book FROM book k WHERE k.organisation_id = p_hold.organisation_id;
        SELECT a.balance_nano INTO v_wallet_nano FROM account a WHERE a.id = v_book.wallet_id FOR NO KEY UPDATE;
        v_kept := least(v_total, p_hold.cost_nano);
        IF v_total > p_hold.cost_nano THEN
            SELECT greatest(0, least(least(v_total, p_hold.amount_nano) - p_hold.cost_nano, v_wallet_nano,
                                     min(least(b.limit_nano, w.limit_nano) - w.spent_nano - w.held_nano)))
            INTO v_extra
            FROM budget_window w JOIN budget b ON b.id = w.budget_id WHERE w.id = ANY (p_hold.window_ids);
        END IF;
        cost_nano := v_kept + v_extra;
        house_loss_nano := v_total - cost_nano;
        UPDATE account a SET balance_nano = a.balance_nano - v_extra + (p_hold.cost_nano - v_kept) WHERE a.id = v_book.wallet_id;
        PERFORM move_windows(p_hold.window_ids, 0, cost_nano - p_hold.cost_nano);
        UPDATE account a SET balance_nano = a.balance_nano - p_hold.cost_nano WHERE a.id = v_book.expired_id;
        UPDATE account a SET balance_nano = a.balance_nano + v_total::bigint WHERE a.id = v_book.usage_revenue_id;
        INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
        SELECT p_hold.organisation_id, t.debit, t.credit, t.amount, t.reason, p_hold.request_id::text
        FROM (VALUES (v_book.expired_id, v_book.usage_revenue_id, v_kept, 'late_confirm'),
                     (v_book.expired_id, v_book.wallet_id, p_hold.cost_nano - v_kept, 'late_refund'),
                     (v_book.wallet_id, v_book.usage_revenue_id, v_extra, 'late_charge')) AS t (debit, credit, amount, reason)
        WHERE t.amount > 0;
        IF house_loss_nano > 0 THEN
            PERFORM post_house_loss(v_book, house_loss_nano, p_hold.request_id);
        END IF;
    END IF;
    UPDATE usage_event e SET tokens_input = v_input, tokens_output = v_output, input_tokens = p_buckets[1],
        cache_read_tokens = p_buckets[2], cache_write_tokens = p_buckets[3], audio_in_tokens = p_buckets[4], output_tokens = p_buckets[5],
        reasoning_tokens = p_buckets[6], audio_out_tokens = p_buckets[7], cost_nano = settle_late.cost_nano,
        house_loss_nano = settle_late.house_loss_nano, source = p_source, outcome = p_outcome, latency_ms = p_latency_ms
    WHERE e.request_id = p_hold.request_id AND e."timestamp" = p_hold.event_at;
    PERFORM add_to_rollup(p_hold, p_hold.event_at, 0, v_input - p_hold.input_tokens, v_output - p_hold.output_tokens,
                          cost_nano - p_hold.cost_nano, house_loss_nano);
    INSERT INTO outbox (id, topic, key, payload)
    VALUES (uuidv7(), 'usage.corrected', p_hold.organisation_id::text,
            usage_payload(p_hold, 'late:' || p_hold.request_id, p_hold.event_at, v_input, v_output, cost_nano));
    UPDATE hold h SET state = 'settled', late = true, ended_at = clock_timestamp(), cost_nano = settle_late.cost_nano,
        house_loss_nano = settle_late.house_loss_nano, input_tokens = v_input, output_tokens = v_output
    WHERE h.request_id = p_hold.request_id;
END $$;
