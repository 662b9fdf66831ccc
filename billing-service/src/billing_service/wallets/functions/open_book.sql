-- The accounts of an organisation, with its starting grant, made once however many callers race.
CREATE OR REPLACE FUNCTION open_book(p_organisation_id uuid, p_grant_nano bigint) RETURNS book
LANGUAGE plpgsql AS $$
DECLARE
    v_book book;
BEGIN
    INSERT INTO account (organisation_id, kind)
    SELECT p_organisation_id, k FROM unnest(ARRAY['wallet', 'held', 'usage_revenue', 'provider_cost', 'grant', 'payment',
                                                 'expired', 'rounding', 'house_loss']) AS k
    ON CONFLICT DO NOTHING;
    INSERT INTO book (organisation_id, wallet_id, held_id, usage_revenue_id, grant_id, payment_id, expired_id, house_loss_id)
    SELECT p_organisation_id, (m ->> 'wallet')::uuid, (m ->> 'held')::uuid, (m ->> 'usage_revenue')::uuid, (m ->> 'grant')::uuid,
           (m ->> 'payment')::uuid, (m ->> 'expired')::uuid, (m ->> 'house_loss')::uuid
    FROM (SELECT jsonb_object_agg(kind, id) AS m FROM account WHERE organisation_id = p_organisation_id) AS accounts
    ON CONFLICT DO NOTHING;
    SELECT * INTO v_book FROM book WHERE organisation_id = p_organisation_id;
    IF p_grant_nano > 0 THEN
        INSERT INTO usage_key (tenant, transaction_id) VALUES (p_organisation_id, 'grant:' || p_organisation_id) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            UPDATE account SET balance_nano = balance_nano + p_grant_nano WHERE id = v_book.wallet_id;
            UPDATE account SET balance_nano = balance_nano - p_grant_nano WHERE id = v_book.grant_id;
            INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason, transaction_id)
            VALUES (p_organisation_id, v_book.grant_id, v_book.wallet_id, p_grant_nano, 'grant', 'grant:' || p_organisation_id);
        END IF;
    END IF;
    RETURN v_book;
END $$;
