"""What a provider says, in whichever form, reaches people in words that help, and well-meant oddities are no
failure.
"""

import gzip
import json
import zlib
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from fake_provider import FakeProvider
from fake_replies import Plan, events_of, whole
from shared.clock import utc_now

DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
ANSWER = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "one two"},
    "finish_reason": "stop"}],
}  # fmt: skip


def ask(**members: Any) -> dict[str, Any]:
    return {"model": "fake-echo", "messages": [{"role": "user", "content": "hi"}], **members}


async def post(running: Any, **members: Any) -> httpx.Response:
    return await running.client.post("/v1/chat/completions", json=ask(**members))


def answered(status: int, body: Any, extra: bytes = b"") -> Plan:
    return Plan([whole(status, json.dumps(body).encode(), extra=extra)])


def streamed(response: httpx.Response) -> tuple[str, list[Any]]:
    data = [line[6:] for line in response.text.split("\n") if line.startswith("data: ")]
    events = [json.loads(entry) for entry in data if entry != "[DONE]"]
    return "".join(
        choice["delta"].get("content") or "" for event in events for choice in event.get("choices", ())
    ), events


REFUSED = "provider_refused_request"
QUOTA = {
    "error": {
        "message": "You exceeded your current quota",
        "type": "insufficient_quota",
        "code": "insufficient_quota",
    }
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "case",
    [
        (200, {"error": {"message": "no such lane", "code": 400}}, 400, "provider_refused_request",
        "no such lane"),
        (200, {"error": "the model crashed"}, 502, "provider_error", "the model crashed"),
        (200, {"error": {"message": "Overloaded", "type": "overloaded_error"}}, 503, "provider_unavailable",
        "Overloaded"),
        (422, {"detail": [{"loc": ["body", "top_k"], "msg": "must be above 0"}]}, 400, REFUSED,
        "body.top_k: must be above 0"),
        (400, [{"error": {"code": 400, "message": "bad thing", "status": "INVALID_ARGUMENT"}}], 400, REFUSED,
        "bad thing"),
        (429, QUOTA, 502, "provider_quota_exhausted", "no credit left"),
        (402, {"error": {"message": "Insufficient credits"}}, 502, "provider_quota_exhausted",
        "no credit left"),
        (429, {"error": {"message": "slow down"}}, 429, "provider_rate_limited", "slow down"),
        (
            400,
            {"error": {"message": (
                "the request exceeds the available context size (4096 "
                "tokens)"
            ), "type": "exceed_context_size_error"}},
            400,
            "context_length_exceeded",
            "maximum context length",
        ),
        (400, {"error": {"message": (
            "prompt is too long: 9 > 8"
        )}}, 400, "context_length_exceeded", "prompt is too long: 9 > 8"),
        (500, {"error": {"message": (
            "image input is not supported - hint: provide the mmproj"
        )}}, 400, "unsupported_content", "mmproj"),
        (400, {"error": {"message": (
            "m is not a multimodal model; image context size 0"
        )}}, 400, "unsupported_content", "images"),
        (400, {"error": {"message": (
            "No endpoints found that support image input"
        ), "code": 400}}, 400, "unsupported_content", "image"),
        (307, {}, 502, "provider_error", "administrator must correct its address"),
    ],
)  # fmt: skip
async def test_the_reason_of_the_provider_is_kept(
    running: Any, billing: Any, provider: FakeProvider, case: tuple[int, Any, int, str, str], stream: bool
) -> None:
    status, body, expected, code, text = case
    provider.scripted = answered(
        status, body, extra=b"location: http://elsewhere.invalid/v1\r\n" if status == 307 else b""
    )
    response = await post(running, stream=stream)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (expected, code)
    assert text in error["message"]
    assert len(billing.released) == 1
    if expected in {502, 503, 504}:
        assert int(response.headers["retry-after"]) >= 1
    if code == "provider_quota_exhausted":
        assert "try again" not in error["message"]
        assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("1.5", 2, 2),
        ("7", 7, 7),
        ("a date in 600 s", 500, 600),
        ("a date in -90 s", 1, 1),
        ("999999", 3600, 3600),
        ("soon", 5, 5),
        ("nan", 5, 5),
    ],
)
async def test_the_wait_a_provider_asks_for_is_passed_on(
    running: Any, provider: FakeProvider, value: str, least: int, most: int
) -> None:
    if value.startswith("a date"):
        value = format_datetime(utc_now() + timedelta(seconds=int(value.split()[3])), usegmt=True)
    provider.scripted = answered(
        429, {"error": {"message": "slow down"}}, extra=f"retry-after: {value}\r\n".encode()
    )
    assert least <= int((await post(running)).headers["retry-after"]) <= most


async def test_a_whole_answer_to_a_stream_becomes_one(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    call = {"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "one two", "tool_calls": [call]}
    provider.scripted = answered(
        200, {**ANSWER, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    )
    response = await post(running, stream=True, stream_options={"include_usage": True})
    text, events = streamed(response)
    assert text == "one two"
    assert response.headers["content-type"].startswith("text/event-stream")
    assert events[0]["choices"][0]["delta"]["tool_calls"] == [{"index": 0, **call}]
    assert events[1]["choices"][0]["finish_reason"] == "tool_calls"
    assert events[-1]["usage"]["total_tokens"] == 5
    assert response.text.endswith("data: [DONE]\n\n")
    assert billing.only_settlement()["source"] == "provider"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_compressed_answer_is_read(running: Any, provider: FakeProvider, encoding: str) -> None:
    body = json.dumps(ANSWER).encode()
    packed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    provider.scripted = Plan([whole(200, packed, extra=f"content-encoding: {encoding}\r\n".encode())])
    response = await post(running)
    assert response.json()["choices"][0]["message"]["content"] == "one two"


async def test_a_compressed_answer_that_is_cut_short_is_no_answer(
    running: Any, provider: FakeProvider
) -> None:
    provider.scripted = Plan(
        [whole(200, gzip.compress(json.dumps(ANSWER).encode())[:-12], extra=b"content-encoding: gzip\r\n")]
    )
    assert (await post(running)).json()["error"]["code"] == "provider_error"


async def test_a_request_that_moved_within_the_provider_is_followed(
    running: Any, provider: FakeProvider
) -> None:
    provider.moved["/v1/chat/completions"] = "completions/"
    provider.moved["/v1/chat/completions/"] = provider.url.removesuffix("/v1") + "/elsewhere/chat/completions"
    assert (await post(running)).json()["choices"][0]["message"]["content"] == "hi"


async def test_requests_sent_round_in_circles_end(running: Any, provider: FakeProvider) -> None:
    provider.moved["/v1/chat/completions"] = "/v1/chat/completions"
    assert "circles" in (await post(running)).json()["error"]["message"]


async def test_a_byte_order_mark_and_halves_of_characters_are_mended(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(ANSWER).replace("one two", "a\\ud83d b \\ud83d\\ude00").encode()
    provider.scripted = Plan([whole(200, body)])
    response = await post(running)
    assert response.json()["choices"][0]["message"]["content"] == "a� b 😀"
    assert billing.only_settlement()["source"] == "provider"


async def test_a_well_formed_answer_passes_byte_for_byte(running: Any, provider: FakeProvider) -> None:
    body = json.dumps(ANSWER, indent=3).replace("one two", "\\ud83d\\ude00").encode()
    provider.scripted = Plan([whole(200, body)])
    assert (await post(running)).content == body


async def test_an_emoji_in_two_events_arrives_whole(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    def raw(text: str) -> bytes:
        return b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"' + text.encode() + b'"}}]}\n\n'

    end = {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    provider.scripted = events_of(raw("a\\ud83d"), raw("\\ude00b"), raw("\\ud83d"), end, DONE, delay_s=0.01)
    response = await post(running, stream=True)
    assert streamed(response)[0] == "a😀b�"
    assert "event: error" not in response.text


async def test_an_overload_told_in_a_choice_is_an_error(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    good = {"id": "c", "choices": [{"index": 0, "delta": {"content": "one"}, "finish_reason": None}]}
    bad = {
        "id": "c",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "error", "error": {"message": "overloaded"}}],
    }
    provider.scripted = events_of(good, bad, DONE, delay_s=0.01)
    response = await post(running, stream=True)
    assert streamed(response)[1][-1]["error"]["code"] == "provider_unavailable"
    assert billing.only_settlement()["outcome"] == "failed"


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
async def test_other_line_ends_are_read(running: Any, provider: FakeProvider, line_end: bytes) -> None:
    end = {
        "id": "c",
        "choices": [{"index": 0, "delta": {"content": "one two"}, "finish_reason": "stop"}],
        "usage": USAGE,
    }
    data = b"data: " + json.dumps(end).encode() + b"\n\n" + DONE
    provider.scripted = events_of(data.replace(b"\n", line_end))
    response = await post(running, stream=True)
    assert streamed(response)[0] == "one two"
    assert "event: error" not in response.text


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "figure", [b"1" + b"0" * 400, b"99999999999999999999", b"[" * 300 + b"]" * 300, b"[" * 3000 + b"]" * 3000]
)
async def test_figures_that_cannot_be_written_are_no_failure_of_ours(
    running: Any, billing: Any, provider: FakeProvider, stream: bool, figure: bytes
) -> None:
    body = (
        json.dumps({**ANSWER, "usage": {"prompt_tokens": 7, "completion_tokens": 2}})
        .encode()
        .replace(b"7", figure)
    )
    provider.scripted = Plan([whole(200, body)])
    response = await post(running, stream=stream)
    assert response.status_code in {200, 502}, response.text
    assert billing.only_settlement()["usage"]["input_tokens"] > 0  # what a provider answered is charged


@pytest.mark.parametrize("stream", [True, False])
async def test_what_follows_a_compressed_answer_is_not_waited_for(
    running: Any, billing: Any, provider: FakeProvider, stream: bool
) -> None:
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\nconnection: "
        b"close\r\n\r\n"
    )
    provider.scripted = Plan(
        [head + gzip.compress(json.dumps(ANSWER).encode()) + b"more", *[b"more" * 1000] * 200], delay_s=0.05
    )
    response = await post(running, stream=stream)
    assert response.status_code == 200, response.text
    assert billing.only_settlement()["source"] == "provider"
    assert provider.completed == 0  # it still sends
