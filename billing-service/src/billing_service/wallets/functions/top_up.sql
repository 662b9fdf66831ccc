-- Put paid credit into a wallet. Returns the available balance after it, or NULL when the organisation has no such wallet.
CREATE OR REPLACE FUNCTION top_up(p_organisation_id uuid, p_wallet_id uuid, p_amount_nano bigint, p_transaction_id text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_book book;
    v_balance bigint;
BEGIN
    SELECT * INTO v_book FROM book k WHERE k.organisation_id = p_organisation_id AND k.wallet_id = p_wallet_id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO usage_key (tenant, transaction_id) VALUES (p_organisation_id, p_transaction_id) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT a.balance_nano INTO v_balance FROM account a WHERE a.id = p_wallet_id;
        RETURN v_balance;
    END IF;
    UPDATE account a SET balance_nano = a.balance_nano + p_amount_nano WHERE a.id = p_wallet_id RETURNING a.balance_nano INTO v_balance;
    UPDATE account a SET balance_nano = a.balance_nano - p_amount_nano WHERE a.id = v_book.payment_id;
    INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
    VALUES (p_organisation_id, v_book.payment_id, p_wallet_id, p_amount_nano, 'top_up', p_transaction_id);
    RETURN v_balance;
END $$;
