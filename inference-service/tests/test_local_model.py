"""The real built-in model behind the service: loading, answering, streaming, leaving, dying."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from inference_service.providers.adapters.llama_cpp import LlamaCppProvider
from inference_service.providers.errors import ModelLoading
from inference_service.providers.local_status import LocalModelStatus
from inference_service.providers.protocol import ChatCall
from inference_service.providers.transport import Remote, Transport
from raw_server import serve
from shared.http import Timeouts, UpstreamPool
from suite.waiting import eventually

MODEL = "smollm2-135m-instruct"
KEY = "key-of-the-model-server"
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}
]


def start_model_server(home: Path, port: int) -> "subprocess.Popen[bytes]":
    variables = {
        "ATRIUM_HOME": str(home),
        "ATRIUM_MODEL": MODEL,
        "MODEL_PORT": str(port),
        "LOCAL_MODEL_API_KEY": KEY,
        "LOCAL_MODEL_STATUS_PATH": str(home / "model.json"),
    }
    log = (home / "model.log").open("ab")
    return subprocess.Popen(
        [sys.executable, "-m", "atrium_local.model_server"],
        env={**os.environ, **variables},
        stdout=log,
        stderr=log,
    )


@pytest.fixture
async def served(
    start: Any, tmp_path: Path, free_port: int
) -> AsyncIterator[tuple[Any, "subprocess.Popen[bytes]"]]:
    """The service is up before the model is."""
    settings = {"local_model_url": f"http://127.0.0.1:{free_port}", "local_model_api_key": KEY}
    async with start(
        **settings, local_model_status_path=tmp_path / "model.json", local_model_id=MODEL
    ) as running:
        process = start_model_server(tmp_path, free_port)
        try:
            yield running, process
        finally:
            process.kill()
            process.wait()


def ask(text: str, **members: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 24, **members}


async def ready(running: Any) -> None:
    async def is_ready() -> bool:
        views = (await running.client.get("/api/v1/inference/models")).json()["data"]
        return any(
            view["id"] == MODEL and view["status"] == "ready" and view["context_length"] for view in views
        )

    await eventually(is_ready, 90)


async def post(running: Any, body: dict[str, Any]) -> Any:
    return await running.client.post("/v1/chat/completions", json=body)


async def test_it_loads_answers_streams_is_counted_and_comes_back(
    served: Any, billing: Any, tmp_path: Path, free_port: int
) -> None:
    running, process = served
    loading = await post(running, ask("hi"))
    assert (loading.status_code, loading.json()["error"]["code"]) == (503, "model_loading")
    await ready(running)

    answer = await post(running, ask("Say hello."))
    assert answer.status_code == 200, answer.text
    usage = answer.json()["usage"]
    settled = billing.only_settlement()
    assert settled["source"] == "provider"
    counted = settled["usage"]
    assert counted["input_tokens"] + counted["cache_read_tokens"] == usage["prompt_tokens"]
    assert counted["output_tokens"] == usage["completion_tokens"] <= 24
    hold = billing.holds[answer.headers["x-atrium-dispatch-id"]]
    assert usage["prompt_tokens"] <= hold["input_tokens_max"]

    streamed = await post(running, ask("Count to five.", stream=True, stream_options={"include_usage": True}))
    chunks = [json.loads(line[6:]) for line in streamed.text.split("\n") if line.startswith("data: {")]
    assert chunks[-1]["usage"]["cost_nano"] > 0
    assert streamed.text.endswith("data: [DONE]\n\n")

    long = await post(running, ask("word " * 20_000))
    assert (long.status_code, long.json()["error"]["code"]) == (400, "context_length_exceeded")

    before = len(billing.settled)
    async with running.client.stream(
        "POST", "/v1/chat/completions", json=ask("Tell a story.", stream=True, max_tokens=500)
    ) as response:
        dispatch_id = response.headers["x-atrium-dispatch-id"]
        await anext(response.aiter_lines())
    await eventually(lambda: len(billing.settled) == before + 1)
    left = billing.settled[dispatch_id]
    assert left["outcome"] == "stopped"
    assert 10 < left["usage"]["input_tokens"] < 60

    process.send_signal(signal.SIGKILL)
    process.wait()
    gone = await post(running, ask("hi"))
    assert (gone.status_code, gone.json()["error"]["code"]) == (503, "model_loading")
    again = start_model_server(tmp_path, free_port)
    try:

        async def answers() -> bool:
            return (await post(running, ask("hi", max_tokens=1))).status_code == 200

        await eventually(answers, 90)
    finally:
        again.kill()
        again.wait()
    assert not billing.open_holds


def provider_at(origin: str, tmp_path: Path) -> LlamaCppProvider:
    status = LocalModelStatus(tmp_path / "model.json", default_model=MODEL)
    remote = Remote.of(origin, api_key=None, provider="local", setting="LOCAL_MODEL_API_KEY")
    timeouts = Timeouts()
    transport = Transport(
        UpstreamPool(), stream_timeouts=timeouts, answer_timeouts=timeouts, discovery_timeouts=timeouts
    )
    return LlamaCppProvider(remote, transport, status)


def call_of(**members: Any) -> ChatCall:
    return ChatCall(
        model=MODEL, body=ask("hi", **members), stream=False, output_tokens_max=9, traceparent=None
    )


def chat_body(tmp_path: Path, **members: Any) -> dict[str, Any]:
    return provider_at("http://127.0.0.1:1", tmp_path).chat_body(call_of(**members))


@pytest.mark.parametrize(
    ("members", "expected"),
    [({}, None), ({"tools": TOOLS}, 0), ({"tools": TOOLS, "temperature": 0.8}, 0.8), ({"tools": []}, None)],
    ids=["no tools", "tools", "the client's own", "empty list"],
)
async def test_calls_are_not_left_to_chance(
    tmp_path: Path, members: dict[str, Any], expected: float | None
) -> None:
    assert chat_body(tmp_path, **members).get("temperature") == expected


async def test_a_tool_that_is_named_is_the_one_that_is_called(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in ("get_weather", "save_note")]
    body = chat_body(
        tmp_path, tools=tools, tool_choice={"type": "function", "function": {"name": "save_note"}}
    )
    [schema] = body["response_format"]["json_schema"]["schema"]["anyOf"]
    assert (body["tools"], schema["properties"]["name"]) == (tools[1:], {"const": "save_note"})
    body = chat_body(tmp_path, tools=tools, tool_choice="auto")
    assert body["tools"] == tools
    assert "response_format" not in body


async def test_a_server_that_dies_with_the_request_in_its_hands_is_waited_for(tmp_path: Path) -> None:
    async def dies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async with serve(dies) as server:
        with pytest.raises(ModelLoading):
            async with provider_at(server.origin, tmp_path).open_chat(call_of()):
                pass


CITY = {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]}
BOTH = [*TOOLS, {"type": "function", "function": {"name": "weather", "parameters": CITY}}]
NAMED = {"type": "function", "function": {"name": "weather"}}


async def test_a_call_that_is_demanded_is_the_whole_answer(served: tuple[Any, Any]) -> None:
    """A model as small as this one would rather say something, and has no room for a call then."""
    running, _ = served
    await ready(running)
    for choice, stream in (("required", False), ("required", True), (NAMED, False), (NAMED, True)):
        body = ask(
            "Say hello. Do not call any tool.", tools=BOTH, tool_choice=choice, max_tokens=64, stream=stream
        )
        response = await running.client.post("/v1/chat/completions", json=body)
        assert response.status_code == 200, response.text
        reason, content, calls = answered(response, stream=stream)
        assert (reason, content or "", len(calls)) == ("tool_calls", "", 1), response.text
        function = calls[0]["function"]
        assert function["name"] in ({"weather"} if choice is NAMED else {"weather", "clock"})
        arguments = json.loads(function["arguments"])
        assert arguments == {} if function["name"] == "clock" else arguments["city"] in {"Paris", "Rome"}
        assert calls[0]["id"]


def answered(response: Any, *, stream: bool) -> tuple[str, str | None, list[Any]]:
    """(reason of the end, text, calls)."""
    if not stream:
        [choice] = response.json()["choices"]
        return choice["finish_reason"], choice["message"]["content"], choice["message"]["tool_calls"]
    data = [
        line[6:] for line in response.text.split("\n") if line.startswith("data: ") and line != "data: [DONE]"
    ]
    choices = [choice for event in map(json.loads, data) for choice in event["choices"]]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    calls = [call for choice in choices for call in choice["delta"].get("tool_calls", [])]
    return (
        next(choice["finish_reason"] for choice in reversed(choices) if choice["finish_reason"]),
        text,
        calls,
    )
