-- Settle what is no longer held: a repeat returns the first result, an expired hold is settled late.
CREATE OR REPLACE FUNCTION settle_ended(p_hold hold, p_buckets bigint[], p_source text, p_outcome text, p_latency_ms integer,
    OUT result text, OUT cost_nano bigint, OUT house_loss_nano bigint, OUT remaining_nano bigint)
LANGUAGE plpgsql AS $$
BEGIN
    IF p_hold.request_id IS NULL THEN
        result := 'unknown';
        RETURN;
    END IF;
    result := p_hold.state; cost_nano := p_hold.cost_nano; house_loss_nano := p_hold.house_loss_nano;
    IF p_hold.state = 'expired' THEN
        SELECT s.cost_nano, s.house_loss_nano INTO cost_nano, house_loss_nano
        FROM settle_late(p_hold, p_buckets, p_source, p_outcome, p_latency_ms) AS s;
        result := 'settled';
    END IF;
    remaining_nano := remaining_nano(p_hold.organisation_id, p_hold.team_id, p_hold.user_id, p_hold.key_id, clock_timestamp());
END $$;
