"""Ollama through its official client, against a server of the documented shape."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from identities import make_principal
from servers import read_body, serve
from shared.auth.permissions import Role
from suite.waiting import eventually

TAGS = {
    "models": [
        {
            "name": "llama3.2:1b",
            "model": "llama3.2:1b",
            "digest": "d1",
            "size": 1,
            "modified_at": "2026-01-01T00:00:00Z",
            "details": {},
        },
        {"name": "nomic-embed-text", "model": "nomic-embed-text", "digest": "d2", "size": 1, "details": {}},
    ]
}
SHOWN = {
    "llama3.2:1b": {
        "capabilities": ["completion", "tools"],
        "model_info": {"general.architecture": "llama", "llama.context_length": 131_072},
        "parameters": 'stop                           "<|eot_id|>"',
    },
    "nomic-embed-text": {"capabilities": ["embedding"], "model_info": {"nomic-bert.context_length": 2048}},
}
CALL = {"id": "c1", "type": "function", "function": {"name": "clock", "arguments": '{"zone":"UTC"}'}}
TOOL = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}
DONE = {"done": True, "done_reason": "stop", "prompt_eval_count": 4, "eval_count": 2}


class FakeOllama:
    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.lines: list[dict[str, Any]] = []
        self.status = 200
        self.shown = {name: dict(shown) for name, shown in SHOWN.items()}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await read_body(receive)
        fields = orjson.loads(body) if body else {}
        self.asked.append((scope["path"], fields))
        status = self.status if scope["path"] == "/api/chat" else 200
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        if scope["path"] == "/api/chat" and self.lines:
            for line in self.lines:
                await send(
                    {"type": "http.response.body", "body": orjson.dumps(line) + b"\n", "more_body": True}
                )
            await send({"type": "http.response.body", "body": b""})
            return
        await send({"type": "http.response.body", "body": orjson.dumps(self.answer(scope["path"], fields))})

    def answer(self, path: str, fields: dict[str, Any]) -> Any:
        if path == "/api/tags":
            return TAGS
        if path == "/api/show":
            return self.shown[fields["model"]]
        usage = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}
        if path == "/v1/embeddings":
            return {
                "object": "list",
                "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
                "usage": usage,
            }
        assert path == "/api/chat"
        return {"model": fields["model"], "message": {"role": "assistant", "content": "hello you"}, **DONE}


@pytest.fixture
async def ollama() -> AsyncIterator[tuple[FakeOllama, str]]:
    fake = FakeOllama()
    async with serve(fake, lifespan="off") as url:
        yield fake, url


async def test_models_are_listed_with_what_they_can_do(start: Any, ollama: Any) -> None:
    _, url = ollama
    async with start(ollama_base_urls=url) as running:
        await running.models_found("llama3.2:1b")
        chat, embedding = (await running.client.get("/api/v1/inference/models")).json()["data"]
    assert (chat["kind"], chat["context_length"], chat["context_source"]) == ("chat", 8192, "provider")
    assert chat["capabilities"] == ["completion", "tools"]
    assert (embedding["kind"], embedding["context_length"]) == ("embedding", 2048)


@pytest.mark.parametrize(
    ("settings", "parameters", "window"),
    [
        ({}, "", 8192),
        ({"ollama_context_tokens": 200_000}, "", 131_072),
        ({}, "temperature 0.1\nnum_ctx                        32768\n", 32_768),
        ({"model_context_lengths": "llama3.2:1b=16384"}, "num_ctx 32768", 16_384),
    ],
    ids=["setting's default", "never above the weights", "Modelfile", "operator"],
)
async def test_the_window_that_is_shown_is_the_one_that_is_set(
    start: Any, ollama: Any, settings: dict[str, Any], parameters: str, window: int
) -> None:
    fake, url = ollama
    fake.shown["llama3.2:1b"]["parameters"] = parameters
    async with start(ollama_base_urls=url, **settings) as running:
        await running.models_found("llama3.2:1b")
        views = (await running.client.get("/api/v1/inference/models")).json()["data"]
        assert views[0]["context_length"] == window
        await running.client.post(
            "/v1/chat/completions",
            json={"model": "llama3.2:1b", "messages": [{"role": "user", "content": "hi"}]},
        )
    path, sent = fake.asked[-1]
    assert (path, sent["options"]["num_ctx"]) == ("/api/chat", window)
    assert (sent["truncate"], sent["shift"]) == (False, False), "what does not fit is an error there, not cut"


async def test_it_answers_and_is_metered(start: Any, ollama: Any, billing: Any) -> None:
    fake, url = ollama
    async with start(ollama_base_urls=url) as running:
        await running.models_found("llama3.2:1b")
        body = {
            "model": "llama3.2:1b",
            "messages": [{"role": "user", "content": "hi"}],
            "max_completion_tokens": 9,
        }
        answer = (await running.client.post("/v1/chat/completions", json=body)).json()
        assert answer["choices"][0] == {
            "index": 0,
            "message": {"role": "assistant", "content": "hello you"},
            "finish_reason": "stop",
        }
        assert (answer["object"], answer["usage"]["total_tokens"]) == ("chat.completion", 6)
        path, sent = fake.asked[-1]
        assert (path, sent["options"]["num_predict"]) == ("/api/chat", 9)
        vector = await running.client.post(
            "/v1/embeddings", json={"model": "nomic-embed-text", "input": "hi"}
        )
        assert vector.json()["data"][0]["embedding"] == [0.5]
    assert len(billing.settled) == 2
    assert {hold["provider"] for hold in billing.holds.values()} == {"ollama-1"}


async def test_its_stream_is_openais(start: Any, ollama: Any, billing: Any) -> None:
    fake, url = ollama
    call = {"function": {"name": "clock", "arguments": {"zone": "UTC"}}}
    fake.lines = [
        {"message": {"role": "assistant", "content": "", "thinking": "hm"}, "done": False},
        {"message": {"role": "assistant", "content": "It is "}, "done": False},
        {"message": {"role": "assistant", "content": "", "tool_calls": [call, call]}, "done": False},
        {"message": {"role": "assistant", "content": ""}, **DONE},
    ]
    async with start(ollama_base_urls=url) as running:
        await running.models_found("llama3.2:1b")
        body = {
            "model": "llama3.2:1b",
            "messages": [{"role": "user", "content": "hi"}],
            "tools": [TOOL],
            "stream": True,
        }
        text = (
            await running.client.post(
                "/v1/chat/completions", json={**body, "stream_options": {"include_usage": True}}
            )
        ).text
    chunks = [orjson.loads(line[6:]) for line in text.split("\n") if line.startswith("data: {")]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert deltas[0] == {"role": "assistant", "reasoning": "hm"}
    assert deltas[1] == {"content": "It is "}
    first, second = deltas[2]["tool_calls"]
    assert (first["index"], first["function"]) == (0, {"name": "clock", "arguments": '{"zone":"UTC"}'})
    assert second["index"] == 1
    assert first["id"] != second["id"]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"]][-1] == "tool_calls"
    assert chunks[-1]["usage"]["completion_tokens"] == 2
    assert text.endswith("data: [DONE]\n\n")
    assert billing.only_settlement()["source"] == "provider"


async def test_a_conversation_is_put_into_its_words(start: Any, ollama: Any) -> None:
    fake, url = ollama
    fake.shown["llama3.2:1b"]["capabilities"] = ["completion", "tools", "vision"]
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages = [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "What is"}, image, {"type": "text", "text": "this?"}],
        },
        {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "noon"},
    ]
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    sampling = {"temperature": 0.1, "top_p": 0.5, "seed": 7, "stop": "END"}
    async with start(ollama_base_urls=url) as running:
        await running.models_found("llama3.2:1b")
        body = {
            "model": "llama3.2:1b",
            "messages": messages,
            "tools": [TOOL],
            "response_format": schema,
            "reasoning_effort": "low",
            **sampling,
        }
        assert (await running.client.post("/v1/chat/completions", json=body)).status_code == 200
    sent = fake.asked[-1][1]
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "tool"]
    assert (sent["messages"][1]["content"], sent["messages"][1]["images"]) == ("What is\nthis?", ["AAAA"])
    assert sent["messages"][2]["tool_calls"] == [
        {"id": "c1", "function": {"name": "clock", "arguments": {"zone": "UTC"}}}
    ]
    assert (sent["messages"][2]["thinking"], sent["messages"][3]["tool_name"]) == ("hm", "clock")
    assert (sent["format"], sent["think"], sent["tools"]) == ({"type": "object"}, "low", [TOOL])
    assert sent["options"] | {"num_ctx": 0, "num_predict": 0} == {
        **sampling,
        "stop": ["END"],
        "num_ctx": 0,
        "num_predict": 0,
    }


async def test_what_does_not_fit_is_refused_and_free(start: Any, ollama: Any, billing: Any) -> None:
    fake, url = ollama
    fake.status = 400
    fake.lines = [{"error": "the input length exceeds the context length"}]
    async with start(ollama_base_urls=url) as running:
        await running.models_found("llama3.2:1b")
        body = {"model": "llama3.2:1b", "messages": [{"role": "user", "content": "word " * 8000}]}
        error = (await running.client.post("/v1/chat/completions", json=body)).json()["error"]
    assert error["code"] == "context_length_exceeded"
    assert billing.released
    assert not billing.settled


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"n": 2}, "n"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}],
                    }
                ]
            },
            "messages",
        ),
    ],
)
async def test_what_it_cannot_do_is_refused(
    start: Any, ollama: Any, billing: Any, members: dict[str, Any], param: str
) -> None:
    fake, url = ollama
    fake.shown["llama3.2:1b"]["capabilities"] = ["completion", "vision"]
    async with start(ollama_base_urls=url) as running:
        await running.models_found("llama3.2:1b")
        body = {"model": "llama3.2:1b", "messages": [{"role": "user", "content": "hi"}], **members}
        response = await running.client.post("/v1/chat/completions", json=body)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert not billing.holds


async def test_a_model_is_described_once_until_it_changes(start: Any, ollama: Any) -> None:
    fake, url = ollama
    async with start(ollama_base_urls=url, discovery_interval_s=0.1) as running:
        await running.models_found("llama3.2:1b")
        await running.app.state.discovery.refresh()
        shows = [path for path, _ in fake.asked if path == "/api/show"]
    assert len(shows) == 2


async def test_an_ollama_that_is_down_says_what_to_do(start: Any) -> None:
    async with start(ollama_base_urls="http://127.0.0.1:9") as running:

        async def down() -> bool:
            headers = running.keys.user_headers(make_principal(Role.ADMIN))
            (view,) = (await running.client.get("/api/v1/inference/providers", headers=headers)).json()[
                "data"
            ]
            return view["status"] == "down" and "OLLAMA_BASE_URLS" in view["operator_detail"]

        await eventually(down)
