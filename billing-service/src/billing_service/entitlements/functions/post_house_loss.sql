-- What a provider billed beyond the hold is the operator's loss, never the customer's; revenue is booked gross.
CREATE OR REPLACE FUNCTION post_house_loss(p_book book, p_amount_nano bigint, p_request_id uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE account a SET balance_nano = a.balance_nano - p_amount_nano WHERE a.id = p_book.house_loss_id;
    INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
    VALUES (p_book.organisation_id, p_book.house_loss_id, p_book.usage_revenue_id, p_amount_nano, 'house_loss', p_request_id::text);
END $$;
