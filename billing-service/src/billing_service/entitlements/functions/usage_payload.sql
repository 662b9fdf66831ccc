-- A usage event as it leaves by the outbox, with the field names of the platform's contract. Nothing here sends NOTIFY: it would
-- take a lock that all commits of the server queue for; the relay polls instead.
CREATE OR REPLACE FUNCTION usage_payload(p_hold hold, p_transaction_id text, p_at timestamptz, p_input bigint, p_output bigint, p_cost_nano bigint)
RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'transaction_id', p_transaction_id, 'customer_id', (p_hold).organisation_id, 'timestamp', p_at, 'model', (p_hold).model,
        'provider', (p_hold).provider, 'tokens_input', p_input, 'tokens_output', p_output,
        'cost_usd', trim_scale(p_cost_nano * 0.000000001), 'cost_nano', p_cost_nano, 'request_id', (p_hold).request_id,
        'user_id', (p_hold).user_id, 'team_id', (p_hold).team_id, 'key_id', (p_hold).key_id)
$$;
