-- reserve_many() for one dispatch.
CREATE OR REPLACE FUNCTION reserve(
    p_request_id uuid, p_organisation_id uuid, p_team_id uuid, p_user_id uuid, p_key_id uuid,
    p_model text, p_provider text, p_kind text,
    p_input_tokens_max bigint, p_input_tokens_floor bigint, p_output_tokens_max bigint, p_choices integer,
    p_output_tokens_min bigint, p_ttl_s double precision, p_grant_nano bigint, p_default_budget_nano bigint,
    p_now timestamptz DEFAULT now(),
    OUT outcome text, OUT amount_nano bigint, OUT price_version uuid, OUT granted_output_tokens bigint, OUT free boolean,
    OUT expires_at timestamptz, OUT remaining_nano bigint,
    OUT scope text, OUT scope_id uuid, OUT limit_nano bigint, OUT spent_nano bigint, OUT held_nano bigint, OUT resets_at timestamptz)
LANGUAGE sql AS $$
    SELECT r.outcome, r.amount_nano, r.price_version, r.granted_output_tokens, r.free, r.expires_at, r.remaining_nano,
           r.scope, r.scope_id, r.limit_nano, r.spent_nano, r.held_nano, r.resets_at
    FROM reserve_many(p_organisation_id, ARRAY[p_request_id], ARRAY[p_team_id], ARRAY[p_user_id], ARRAY[p_key_id], ARRAY[p_model],
        ARRAY[p_provider], ARRAY[p_kind], ARRAY[p_input_tokens_max], ARRAY[p_input_tokens_floor], ARRAY[p_output_tokens_max],
        ARRAY[p_choices], p_output_tokens_min, p_ttl_s, p_grant_nano, p_default_budget_nano, p_now) AS r
$$;
