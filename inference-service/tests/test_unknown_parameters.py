"""Whatever asks a provider for more output, another model or another price is refused by name, at every place
of a request.
"""

import asyncio
import copy
import re
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import orjson
import pytest
from inference_service.completions.request import RequestLimits, parse_chat
from inference_service.embeddings.request import parse_embeddings
from inference_service.members import members_of, parse_extra
from inference_service.rerank.request import parse_rerank
from parameter_corpus import CALL, CORPUS, FULL, PLACES, TOOL
from servers import read_body, serve
from shared.errors import BadRequest

from .conftest import INPUT_NANO, OUTPUT_NANO, FakeBilling

LIMIT_NANO = 1_500
LIMITS = RequestLimits(messages_max=10, choices_max=4)
MODELS = {"openai": "bought", "ollama": "llama3.2:1b", "llama.cpp": "qwen2.5-coder-0.5b-instruct"}


class Budget(FakeBilling):
    """Grants no more than is left of `LIMIT_NANO`, and books what was used whether it was granted or not."""

    limit_nano = LIMIT_NANO
    spent_nano = 0
    held_nano: dict[str, int]

    def reserve(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        left = (
            self.limit_nano
            - self.spent_nano
            - sum(self.held_nano.values())
            - body["input_tokens_max"] * INPUT_NANO
        )
        granted = min(body["output_tokens_max"], left // (OUTPUT_NANO * body["n"]))
        if granted < 1:
            return 402, {
                "code": "budget_exceeded",
                "detail": "the budget is used up",
                "status": 402,
                "title": "Payment required",
            }
        self.granted_max = granted
        status, answer = super().reserve(body)
        self.held_nano[body["request_id"]] = (
            body["input_tokens_max"] * INPUT_NANO + granted * OUTPUT_NANO * body["n"]
        )
        return status, answer

    def settle(self, request_id: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        status, answer = super().settle(request_id, body)
        self.held_nano.pop(request_id, None)
        self.spent_nano += answer["cost_nano"]
        return status, answer

    def release(self, request_id: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.held_nano.pop(request_id, None)
        return super().release(request_id, body)

    def check(self) -> None:
        assert self.spent_nano + sum(self.held_nano.values()) <= self.limit_nano


class Obedient:
    """Every kind of provider at once; writes as many tokens as the largest number anywhere in the request
    asks for.
    """

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await read_body(receive)
        answer = self.answer(scope["path"], orjson.loads(body) if body else {})
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": answer})

    def answer(self, path: str, fields: dict[str, Any]) -> bytes:
        listed = {
            "/v1/models": {"object": "list", "data": [{"id": MODELS["openai"], "object": "model"}]},
            "/props": {"default_generation_settings": {"n_ctx": 8192}},
            "/api/tags": {"models": [{"model": MODELS["ollama"], "digest": "d", "size": 1, "details": {}}]},
            "/api/ps": {"models": []},
            "/api/show": {
                "capabilities": ["completion", "tools"],
                "model_info": {"llama.context_length": 8192},
            },
        }
        if path in listed:
            return orjson.dumps(listed[path])
        assert path in {"/v1/chat/completions", "/api/chat"}, path
        self.bodies.append(fields)
        tokens = max([1, *numbers(fields)])
        usage = {"prompt_tokens": 20, "completion_tokens": tokens, "total_tokens": 20 + tokens}
        if path == "/api/chat":
            done = {"done": True, "done_reason": "stop", "prompt_eval_count": 20, "eval_count": tokens}
            return (
                orjson.dumps({"model": "m", "message": {"role": "assistant", "content": "hi"}, **done})
                + b"\n"
            )
        if not fields.get("stream"):
            message = {"role": "assistant", "content": "hi"}
            return orjson.dumps(
                {
                    "id": "x",
                    "object": "chat.completion",
                    "created": 1,
                    "choices": [{"index": 0, "message": message}],
                    "usage": usage,
                }
            )
        delta = {"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]}
        return b"".join(
            b"data: " + part + b"\n\n"
            for part in (orjson.dumps(delta), orjson.dumps({"choices": [], "usage": usage}), b"[DONE]")
        )


def numbers(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from () if name in {"num_ctx", "seed", "schema"} else numbers(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from numbers(entry)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield value


@pytest.fixture
async def billing() -> AsyncIterator[Budget]:
    budget = Budget()
    budget.held_nano = {}
    async with serve(budget, lifespan="off") as url:
        budget.url = url
        yield budget


@pytest.fixture
async def provider() -> AsyncIterator[tuple[Obedient, str]]:
    fake = Obedient()
    async with serve(fake, lifespan="off") as url:
        yield fake, url


@pytest.fixture
async def served(start: Any, provider: Any) -> AsyncIterator[tuple[Any, Obedient]]:
    fake, url = provider
    async with start(openai_api_base_urls=f"{url}/v1", ollama_base_urls=url, local_model_url=url) as running:
        for model in MODELS.values():
            await running.models_found(model)
        yield running, fake


@pytest.mark.parametrize("kind", MODELS)
async def test_no_known_alias_of_more_reaches_a_provider(served: Any, billing: Budget, kind: str) -> None:
    running, fake = served
    body = {"model": MODELS[kind], "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    posts = [
        running.client.post("/v1/chat/completions", json={**body, name: value})
        for name, value in CORPUS.items()
    ]
    for name, response in zip(CORPUS, await asyncio.gather(*posts), strict=True):
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["param"]) == (400, "unknown_parameter", name), (
            name,
            response.text,
        )
    billing.check()
    assert not fake.bodies
    assert not billing.holds


# Names that are known where they stand in this way.
KNOWN_THERE = {"messages": {"reasoning", "function_call"}}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", MODELS)
def test_nor_inside_messages_parts_tools_and_formats(kind: str, place: str) -> None:
    members = members_of(kind)
    for name, value in CORPUS.items():
        body = copy.deepcopy(FULL) | {"model": MODELS[kind]}
        target = at_place(body, place)
        if name in target or name in KNOWN_THERE.get(re.sub(r"\[\d\]", "", place), set()):
            continue
        target[name] = value
        with pytest.raises(BadRequest) as refused:
            members.admit(parse_chat(orjson.dumps(body), LIMITS).body)
        assert (refused.value.code, refused.value.extra["param"]) == ("unknown_parameter", f"{place}.{name}")


@pytest.mark.parametrize("place", ["messages[0].content[0]", "tools[0].function"])
async def test_a_nested_alias_is_refused_before_anything_is_held(
    served: Any, billing: Budget, place: str
) -> None:
    running, fake = served
    body = copy.deepcopy(FULL) | {"model": MODELS["llama.cpp"]}
    at_place(body, place)["n_predict"] = 400
    error = (await running.client.post("/v1/chat/completions", json=body)).json()["error"]
    assert (error["code"], error["param"]) == ("unknown_parameter", f"{place}.n_predict")
    assert not fake.bodies
    assert not billing.holds


def at_place(body: dict[str, Any], place: str) -> dict[str, Any]:
    found: Any = body
    for step in place.replace("[", ".").replace("]", "").split("."):
        found = found[int(step)] if step.isdigit() else found[step]
    return found


@pytest.mark.parametrize("kind", MODELS)
async def test_known_limits_are_within_what_the_budget_grants(
    served: Any, billing: Budget, kind: str
) -> None:
    running, fake = served
    asked = [
        {"max_tokens": 400},
        {"max_completion_tokens": 400},
        {"max_tokens": 7, "max_completion_tokens": 10_000},
        {"n": 2},
        {},
    ]
    for members in asked:
        body = {"model": MODELS[kind], "messages": [{"role": "user", "content": "hi"}], **members}
        response = await running.client.post("/v1/chat/completions", json=body)
        assert response.status_code in {200, 402} or (kind == "ollama" and "n" in members), response.text
        billing.check()
    assert fake.bodies
    assert max(number for sent in fake.bodies for number in numbers(sent)) * OUTPUT_NANO <= LIMIT_NANO


async def test_what_an_operator_lists_is_sent_and_stays_within_the_grant(
    start: Any, provider: Any, billing: Budget
) -> None:
    fake, url = provider
    listed = "openai:service_tier;openai:n_predict;openai:best_of;openai:extra;openai:messages.prefix"
    async with start(openai_api_base_urls=f"{url}/v1", provider_extra_parameters=listed) as running:
        await running.models_found(MODELS["openai"])
        message = {"role": "user", "content": "hi", "prefix": True}
        extra = {
            "n_predict": 400,
            "best_of": 4,
            "extra": {"max_new_tokens": 400, "num_predict": -1},
            "service_tier": "flex",
        }
        response = await running.client.post(
            "/v1/chat/completions",
            json={"model": MODELS["openai"], "messages": [message], "max_tokens": 2, **extra},
        )
        assert response.status_code == 200, response.text
    (sent,) = fake.bodies
    assert (sent["service_tier"], sent["messages"][0]["prefix"]) == ("flex", True)
    assert (sent["n_predict"], sent["best_of"], sent["extra"]) == (
        2,
        1,
        {"max_new_tokens": 2, "num_predict": 2},
    )
    billing.check()


@pytest.mark.parametrize(
    ("parse", "body"),
    [
        (partial(parse_embeddings, inputs_max=9), {"input": "hi"}),
        (parse_rerank, {"query": "hi", "documents": ["x"]}),
    ],
    ids=["embeddings", "rerank"],
)
def test_embeddings_and_rerank_take_no_unknown_members(parse: Any, body: dict[str, Any]) -> None:
    for name, value in CORPUS.items():
        if name in body:
            continue
        with pytest.raises(BadRequest) as refused:
            parse(orjson.dumps({"model": "m", **body, name: value}))
        assert (refused.value.code, refused.value.extra["param"]) == ("unknown_parameter", name)


# What openai-python, LangChain, aider, LiteLLM, LibreChat and Open WebUI send.
CLIENTS: list[dict[str, Any]] = [
    {"metadata": {"run": "7"}, "store": False, "user": "me", "seed": 5},
    {"logprobs": True, "top_logprobs": 5, "logit_bias": {"50256": -100}},
    {"parallel_tool_calls": False, "tools": [TOOL], "tool_choice": "auto"},
    {"reasoning_effort": "low", "verbosity": "low"},
    {
        "stop": ["END"],
        "temperature": 0.2,
        "top_p": 0.9,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "n": 1,
    },
    {"response_format": {"type": "json_object"}},
    {"safety_identifier": "me", "prompt_cache_key": "chat-1"},
    {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
    {
        "functions": None,
        "function_call": None,
        "audio": None,
        "service_tier": None,
        "modalities": None,
        "prediction": None,
    },
]


@pytest.mark.parametrize("kind", MODELS)
async def test_what_clients_send_keeps_working(served: Any, billing: Budget, kind: str) -> None:
    running, fake = served
    billing.limit_nano = 10**9
    # A message as openai-python dumps it from an answer, and one with what agents hand back.
    nulls = dict.fromkeys(("refusal", "audio", "function_call", "tool_calls"))
    echoed = {"role": "assistant", "content": "yes", "annotations": [], **nulls}
    call = {**CALL, "index": 0, "extra_content": {"google": {"thought_signature": "x"}}}
    handed_back = {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [call]}
    messages = [
        {"role": "user", "content": "hi"},
        echoed,
        handed_back,
        {"role": "tool", "tool_call_id": "c1", "content": "noon"},
    ]
    for members in CLIENTS:
        body = {"model": MODELS[kind], "messages": messages, "max_tokens": 1, **members}
        response = await running.client.post("/v1/chat/completions", json=body)
        assert response.status_code == 200, (members, response.text)
    assert len(fake.bodies) == len(CLIENTS)
    for sent in fake.bodies:
        assert not {"metadata", "store"} & sent.keys(), "kept here"
        assert None not in sent.values()
        assert "annotations" not in orjson.dumps(sent).decode()


@pytest.mark.parametrize(
    "members",
    [
        {"store": True}, {"logit_bias": {"x": 1}}, {"logit_bias": {"1": 101}},
        {"logit_bias": {str(n): 1 for n in range(301)}},
        {"top_logprobs": 21}, {"metadata": {"x": "y" * 20_000}}, {"user": "x" * 1000}, {"seed": "x"},
        {"tool_choice": {"type": "x"}},
        {"stop": ["x" * 5000]}, {"reasoning_effort": 7}, {"min_p": 2}, {"parallel_tool_calls": 1},
    ],
)  # fmt: skip
async def test_bounds_of_what_is_known(served: Any, members: dict[str, Any]) -> None:
    running, fake = served
    body = {"model": MODELS["openai"], "messages": [{"role": "user", "content": "hi"}], **members}
    response = await running.client.post("/v1/chat/completions", json=body)
    assert (response.status_code, response.json()["error"]["param"]) == (400, next(iter(members)))
    assert not fake.bodies


async def test_deep_schemas_are_refused_and_no_error_of_ours(served: Any) -> None:
    running, _ = served
    schema: dict[str, Any] = {}
    for _ in range(400):
        schema = {"items": schema}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    for members in (
        {"tools": [tool]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}},
    ):
        body = {"model": MODELS["openai"], "messages": [{"role": "user", "content": "hi"}], **members}
        response = await running.client.post("/v1/chat/completions", json=body)
        assert response.status_code == 400, response.text


@pytest.mark.parametrize(
    "value", ["service_tier", "azure:x", "openai:", "openai:nowhere.x", "openai:messages."]
)
def test_a_wrong_list_of_extra_parameters_says_so(value: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_extra(value)


def test_an_unknown_name_is_quoted_within_bounds() -> None:
    with pytest.raises(BadRequest) as refused:
        members_of("openai").admit({"messages": [], "x" * 100_000: 1})
    assert len(refused.value.detail) < 500
