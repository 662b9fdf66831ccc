-- Cost in nano-USD of exclusive token buckets: NUMERIC inside, rounded up exactly once. (a + 999999) div 1000000 instead of
-- ceil(a / 1000000), because NUMERIC division rounds its quotient and could lose a remainder.
CREATE OR REPLACE FUNCTION token_cost_nano(p_price price, p_input bigint, p_cache_read bigint, p_cache_write bigint, p_audio_in bigint,
                                p_output bigint, p_reasoning bigint, p_audio_out bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT div(p_input::numeric * (p_price).input_nano_per_mtok
        + p_cache_read::numeric * (p_price).cache_read_nano_per_mtok
        + p_cache_write::numeric * (p_price).cache_write_nano_per_mtok
        + p_audio_in::numeric * (p_price).audio_in_nano_per_mtok
        + p_output::numeric * (p_price).output_nano_per_mtok
        + p_reasoning::numeric * (p_price).reasoning_nano_per_mtok
        + p_audio_out::numeric * (p_price).audio_out_nano_per_mtok + 999999, 1000000)
$$;
