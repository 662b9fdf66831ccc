-- Whether bytes left for the provider: the dispatcher checkpoints a hold as it sends them, and each checkpoint renews it.
CREATE OR REPLACE FUNCTION hold_begun(p_hold hold) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT p_hold.expires_at > p_hold.created_at + make_interval(secs => p_hold.ttl_s)
$$;
