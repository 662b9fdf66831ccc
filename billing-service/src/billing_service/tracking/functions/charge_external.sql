-- Take the amount of usage that was recorded by hand from the wallet, once for each transaction.
-- result: charged | known | insufficient | no_wallet.
CREATE OR REPLACE FUNCTION charge_external(p_organisation_id uuid, p_transaction_id text, p_amount_nano bigint, OUT result text)
LANGUAGE plpgsql AS $$
DECLARE
    v_book book;
    v_wallet_nano bigint;
BEGIN
    SELECT * INTO v_book FROM book k WHERE k.organisation_id = p_organisation_id;
    IF NOT FOUND THEN
        result := 'no_wallet';
        RETURN;
    END IF;
    SELECT a.balance_nano INTO v_wallet_nano FROM account a WHERE a.id = v_book.wallet_id FOR NO KEY UPDATE;
    IF v_wallet_nano < p_amount_nano THEN
        result := 'insufficient';
        RETURN;
    END IF;
    INSERT INTO usage_key (tenant, transaction_id) VALUES (p_organisation_id, p_transaction_id) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        result := 'known';
        RETURN;
    END IF;
    result := 'charged';
    IF p_amount_nano = 0 THEN
        RETURN;
    END IF;
    UPDATE account a SET balance_nano = a.balance_nano - p_amount_nano WHERE a.id = v_book.wallet_id;
    UPDATE account a SET balance_nano = a.balance_nano + p_amount_nano WHERE a.id = v_book.usage_revenue_id;
    INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
    VALUES (p_organisation_id, v_book.wallet_id, v_book.usage_revenue_id, p_amount_nano, 'charge', p_transaction_id);
END $$;
