"""Usage buckets are exclusive and add up to what the provider reported (I12)."""

from hypothesis import given
from hypothesis import strategies as st
from inference_service.metering.usage import Usage, from_openai

COUNT = st.integers(min_value=0, max_value=10_000)
ANY_VALUE = st.none() | st.booleans() | st.integers(-5, 10**12) | st.text(max_size=3) | st.floats() | st.lists(st.integers(), max_size=1)


@given(prompt=COUNT, completion=COUNT, cached=COUNT, written=COUNT, heard=COUNT, reasoning=COUNT, spoken=COUNT)
def test_buckets_add_up_to_the_providers_totals(
    prompt: int, completion: int, cached: int, written: int, heard: int, reasoning: int, spoken: int
) -> None:
    usage = from_openai(
        {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written, "audio_tokens": heard},
            "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": spoken},
        }
    )
    assert usage is not None
    assert usage.prompt_tokens == prompt
    assert usage.completion_tokens == completion
    assert min(usage.to_wire().values()) >= 0


@given(report=st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details"]), ANY_VALUE))
def test_a_nonsensical_report_is_refused_or_bounded(report: dict[str, object]) -> None:
    usage = from_openai(report)
    assert usage is None or all(0 <= count <= 10**9 for count in usage.to_wire().values())


def test_cached_and_reasoning_tokens_are_not_counted_twice() -> None:
    usage = from_openai(
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "prompt_tokens_details": {"cached_tokens": 80},
            "completion_tokens_details": {"reasoning_tokens": 30},
        }
    )
    assert usage == Usage(input_tokens=20, cache_read_tokens=80, output_tokens=20, reasoning_tokens=30)


def test_embeddings_report_no_completion_tokens() -> None:
    assert from_openai({"prompt_tokens": 7, "total_tokens": 7}) == Usage(input_tokens=7)
