-- Prices a fresh installation starts with: the built-in models, and public list prices in USD of well-known bought models.
-- An administrator changes any of them by PUT /api/v1/billing/prices; these rows stay as history.

INSERT INTO price (model, free, input_nano_per_mtok, cache_read_nano_per_mtok, cache_write_nano_per_mtok, audio_in_nano_per_mtok,
                   output_nano_per_mtok, reasoning_nano_per_mtok, audio_out_nano_per_mtok, effective_from, source)
SELECT model, free, input, coalesce(cache_read, input), coalesce(cache_write, input), input, output, output, output,
       timestamptz '2020-01-01 00:00:00+00', 'seed'
FROM (VALUES
    ('qwen2.5-coder-0.5b-instruct', false,   10000000, NULL::bigint, NULL::bigint,    40000000),
    ('smollm2-135m-instruct',       false,    5000000, NULL,         NULL,            20000000),
    ('all-minilm-l6-v2',            true,           0, NULL,         NULL,                   0),
    ('gpt-4o',                      false, 2500000000, 1250000000,   NULL,         10000000000),
    ('gpt-4o-mini',                 false,  150000000,   75000000,   NULL,           600000000),
    ('gpt-4.1',                     false, 2000000000,  500000000,   NULL,          8000000000),
    ('gpt-4.1-mini',                false,  400000000,  100000000,   NULL,          1600000000),
    ('gpt-4.1-nano',                false,  100000000,   25000000,   NULL,           400000000),
    ('o3-mini',                     false, 1100000000,  550000000,   NULL,          4400000000),
    ('text-embedding-3-small',      false,   20000000, NULL,         NULL,                   0),
    ('text-embedding-3-large',      false,  130000000, NULL,         NULL,                   0),
    ('claude-3-5-sonnet-20241022',  false, 3000000000,  300000000,   3750000000,   15000000000),
    ('claude-3-5-haiku-20241022',   false,  800000000,   80000000,   1000000000,    4000000000),
    ('claude-3-haiku-20240307',     false,  250000000,   30000000,    300000000,    1250000000)
) AS list (model, free, input, cache_read, cache_write, output);
