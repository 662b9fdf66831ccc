-- What a reserve answers whose id is known: the same reservation while it is held, request_id_reused for anything else.
CREATE OR REPLACE FUNCTION reserved_before(
    p_request_id uuid, p_organisation_id uuid, p_team_id uuid, p_user_id uuid, p_key_id uuid, p_model text,
    p_input_tokens_max bigint, p_now timestamptz,
    OUT outcome text, OUT amount_nano bigint, OUT price_version uuid, OUT free boolean, OUT granted_output_tokens bigint,
    OUT expires_at timestamptz, OUT remaining_nano bigint)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT 'held', h.amount_nano, h.price_id, h.free, h.output_tokens_max, h.expires_at,
        remaining_nano(p_organisation_id, p_team_id, p_user_id, p_key_id, p_now)
    INTO outcome, amount_nano, price_version, free, granted_output_tokens, expires_at, remaining_nano
    FROM hold h
    WHERE h.request_id = p_request_id AND h.state = 'held' AND h.organisation_id = p_organisation_id
      AND h.user_id = p_user_id AND h.model = p_model AND h.input_tokens_max = p_input_tokens_max;
    outcome := coalesce(outcome, 'request_id_reused');
END $$;
