-- settle_and_reserve() without settlements.
CREATE OR REPLACE FUNCTION reserve_many(
    p_organisation_id uuid, p_request_ids uuid[], p_team_ids uuid[], p_user_ids uuid[], p_key_ids uuid[],
    p_models text[], p_providers text[], p_kinds text[],
    p_input_tokens_max bigint[], p_input_tokens_floor bigint[], p_output_tokens_max bigint[], p_choices integer[],
    p_output_tokens_min bigint, p_ttl_s double precision, p_grant_nano bigint, p_default_budget_nano bigint,
    p_now timestamptz DEFAULT now())
RETURNS TABLE (call integer, outcome text, amount_nano bigint, price_version uuid, granted_output_tokens bigint, free boolean,
    expires_at timestamptz, remaining_nano bigint,
    scope text, scope_id uuid, limit_nano bigint, spent_nano bigint, held_nano bigint, resets_at timestamptz)
LANGUAGE sql AS $$
    SELECT r.call, r.outcome, r.amount_nano, r.price_version, r.granted_output_tokens, r.free, r.expires_at, r.remaining_nano,
           r.scope, r.scope_id, r.limit_nano, r.spent_nano, r.held_nano, r.resets_at
    FROM settle_and_reserve('{}', '{}', '{}', '{}', '{}', '{}',
        p_organisation_id, p_request_ids, p_team_ids, p_user_ids, p_key_ids, p_models, p_providers, p_kinds, p_input_tokens_max,
        p_input_tokens_floor, p_output_tokens_max, p_choices, p_output_tokens_min, p_ttl_s, p_grant_nano, p_default_budget_nano,
        p_now) AS r
$$;
