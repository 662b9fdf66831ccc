"""Usage buckets are exclusive and add up to what the provider reported (I12)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inference_service.metering.usage import Usage, from_openai
from shared.contracts.billing import TOKENS_MAX

COUNT = st.integers(min_value=0, max_value=10_000)
ANY_VALUE = (
    st.none()
    | st.booleans()
    | st.integers(-5, 10**12)
    | st.text(max_size=3)
    | st.floats()
    | st.lists(st.integers(), max_size=1)
)


@given(
    prompt=COUNT, completion=COUNT, cached=COUNT, written=COUNT, heard=COUNT, reasoning=COUNT, spoken=COUNT
)
def test_buckets_add_up_to_the_providers_totals(
    prompt: int, completion: int, cached: int, written: int, heard: int, reasoning: int, spoken: int
) -> None:
    usage = from_openai(
        {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {
                "cached_tokens": cached,
                "cache_write_tokens": written,
                "audio_tokens": heard,
            },
            "completion_tokens_details": {
                "reasoning_tokens": min(reasoning, completion),
                "audio_tokens": spoken,
            },
        }
    )
    if usage is None:
        assert prompt + completion == 0
        return
    assert usage.prompt_tokens == prompt
    assert usage.completion_tokens == completion
    assert min(usage.to_wire().values()) >= 0


@given(
    report=st.dictionaries(
        st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details"]),
        ANY_VALUE,
    )
)
def test_a_nonsensical_report_is_refused_or_bounded(report: dict[str, object]) -> None:
    usage = from_openai(report)
    assert usage is None or all(0 <= count <= TOKENS_MAX for count in usage.to_wire().values())


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


def total(usage: Usage | None) -> int:
    assert usage is not None
    return usage.prompt_tokens + usage.completion_tokens


@given(
    prompt=COUNT, completion=COUNT, cached=COUNT, reasoning=COUNT, other=COUNT,
    write=st.sampled_from([int, float, str]), beside=st.booleans(),
)  # fmt: skip
def test_buckets_are_disjoint_and_sum_to_the_total_wherever_reasoning_stands(
    prompt: int, completion: int, cached: int, reasoning: int, other: int, write: Any, beside: bool
) -> None:
    made = completion + (reasoning if beside else 0) + other
    report = {
        "prompt_tokens": write(prompt),
        "completion_tokens": write(completion),
        "total_tokens": write(prompt + max(made, completion)),
        "prompt_tokens_details": {"cached_tokens": write(min(cached, prompt))},
        "completion_tokens_details": {
            "reasoning_tokens": write(reasoning if beside else min(reasoning, completion))
        },
    }
    usage = from_openai(report)
    if prompt + completion + reasoning + other == 0:
        assert usage is None
        return
    if usage is None:
        assert prompt + made == 0
        return
    assert sum(usage.to_wire().values()) == total(usage)
    assert usage.prompt_tokens == prompt
    assert usage.completion_tokens >= made
    assert min(usage.to_wire().values()) >= 0


def test_reasoning_beside_the_answer_is_charged() -> None:
    usage = from_openai(
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 320,
            "completion_tokens_details": {"reasoning_tokens": 200},
        }
    )
    assert usage == Usage(input_tokens=100, output_tokens=20, reasoning_tokens=200)
    assert usage.prompt_tokens * 1_000 + usage.completion_tokens * 2_000 == 540_000


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40},
        Usage(input_tokens=10, output_tokens=30)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "reasoning_tokens": 9},
        Usage(input_tokens=10, output_tokens=5, reasoning_tokens=9)),
        (
            {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 20},
            Usage(input_tokens=10, cache_read_tokens=100, cache_write_tokens=20, output_tokens=5),
        ),
        (
            {"prompt_tokens": 130, "completion_tokens": 5, "total_tokens": 135,
            "cache_read_input_tokens": 100},
            Usage(input_tokens=30, cache_read_tokens=100, output_tokens=5),
        ),
        (
            {"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 135,
            "cache_read_input_tokens": 100},
            Usage(input_tokens=30, cache_read_tokens=100, output_tokens=5),
        ),
        (
            {"prompt_tokens": 130, "completion_tokens": 5, "prompt_cache_hit_tokens": 100,
            "prompt_cache_miss_tokens": 30},
            Usage(input_tokens=30, cache_read_tokens=100, output_tokens=5),
        ),
        (
            {"input_tokens": 130, "output_tokens": 5, "total_tokens": 135,
            "input_tokens_details": {"cached_tokens": 100}},
            Usage(input_tokens=30, cache_read_tokens=100, output_tokens=5),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 5, "cached_tokens": 8},
        Usage(input_tokens=1, cache_read_tokens=8, output_tokens=5)),
        ({"prompt_tokens": "12", "completion_tokens": 3.0, "total_tokens": "15.0"},
        Usage(input_tokens=12, output_tokens=3)),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
        ({"prompt_tokens": "many", "completion_tokens": 1}, None),
        ({"prompt_tokens": 10**12, "completion_tokens": 1}, Usage(input_tokens=TOKENS_MAX, output_tokens=1)),
    ],
    ids=[
        "only the total tells", "reasoning named outside", "anthropic", (
            "anthropic's names within openai's total"
        ), "beside openai's figure",
        "deepseek", "responses", "moonshot", "text and floats", "all zero", "no number", "too large",
    ],
)  # fmt: skip
def test_each_dialect_of_usage(report: dict[str, Any], expected: Usage | None) -> None:
    assert from_openai(report) == expected
