"""Clients that try again by themselves are told when."""

import pytest
from shared.errors import (
    AppError,
    TooManyRequests,
    Unavailable,
    UpstreamFailed,
    UpstreamTimedOut,
    render_openai,
    render_problem,
)


@pytest.mark.parametrize(
    "error",
    [UpstreamFailed("x"), UpstreamTimedOut("x"), Unavailable("x"), UpstreamFailed("x", retry_after_s=0)],
    ids=["502", "504", "503", "0"],
)
def test_what_may_pass_says_when_to_try_again(error: AppError) -> None:
    for _, headers, _ in (
        render_problem(error, request_id="r", instance="/"),
        render_openai(error, request_id="r"),
    ):
        assert int(dict(headers)[b"retry-after"]) >= 1


def test_what_only_operators_may_know_is_not_rendered() -> None:
    error = TooManyRequests("slow down")
    error.operator_detail = "http://10.0.0.5:8000"
    for _, headers, body in (
        render_problem(error, request_id="r", instance="/"),
        render_openai(error, request_id="r"),
    ):
        assert b"10.0.0.5" not in body + repr(headers).encode()
