-- Add to the totals of a day that reports are read from.
CREATE OR REPLACE FUNCTION add_to_rollup(p_hold hold, p_at timestamptz, p_requests bigint, p_input bigint, p_output bigint,
                              p_cost_nano bigint, p_house_loss_nano bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO usage_rollup AS u (day, organisation_id, user_id, team_id, key_id, model, requests, input_tokens, output_tokens,
        cost_nano, house_loss_nano)
    VALUES ((p_at AT TIME ZONE 'UTC')::date, p_hold.organisation_id, p_hold.user_id, p_hold.team_id,
        p_hold.key_id, p_hold.model, p_requests, p_input, p_output, p_cost_nano, p_house_loss_nano)
    ON CONFLICT ON CONSTRAINT usage_rollup_once DO UPDATE SET
        requests = u.requests + excluded.requests, input_tokens = u.input_tokens + excluded.input_tokens,
        output_tokens = u.output_tokens + excluded.output_tokens, cost_nano = u.cost_nano + excluded.cost_nano,
        house_loss_nano = u.house_loss_nano + excluded.house_loss_nano;
END $$;
