"""One person's texts do not keep another's question waiting at the built-in model."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from identities import make_principal
from inference_service.embed_worker.client import EmbedWorker, turns_of
from inference_service.embeddings.request import parse_embeddings
from suite.waiting import eventually

BUILTIN = "all-minilm-l6-v2"
LONG = "a sentence about nothing in particular, told at some length, " * 20
LONG_TOKENS = 242


@pytest.fixture
async def ready(start: Any, embedding_model: Path) -> AsyncGenerator[Any]:
    async with start(embedding_model_path=embedding_model) as running:
        await running.models_found(BUILTIN)
        await running.client.post("/v1/embeddings", json={"model": BUILTIN, "input": "the worker starts"})
        yield running


class Turns:
    """Counts what the worker is asked to do."""

    def __init__(self, worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = 0
        exchange = worker._exchange

        async def counted(*arguments: Any) -> Any:
            self.begun += 1
            return await exchange(*arguments)

        monkeypatch.setattr(worker, "_exchange", counted)


def searching(running: Any, person: Any) -> dict[str, str]:
    headers = running.keys.service_headers("retrieval-service", target="inference-service", principal=person)
    return {**headers, "x-atrium-priority": "interactive"}


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/rerank"])
async def test_a_question_waits_for_no_more_than_the_turn_under_way(
    ready: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    turns = Turns(ready.app.state.embed_worker, monkeypatch)
    bodies = {
        "/v1/embeddings": {"input": "who pays?"},
        "/v1/rerank": {"query": "who pays?", "documents": ["we do"]},
    }
    async with asyncio.TaskGroup() as group:
        flood = [
            group.create_task(
                ready.client.post("/v1/embeddings", json={"model": BUILTIN, "input": [LONG] * 24})
            )
            for _ in range(2)
        ]
        await eventually(lambda: turns.begun > 1)
        before = turns.begun
        answer = await ready.client.post(
            path, json={"model": BUILTIN, **bodies[path]}, headers=searching(ready, make_principal())
        )
        assert answer.status_code == 200
        # Its own, and what began while the request came in and went out.
        assert turns.begun - before <= 6
        assert not any(task.done() for task in flood)
    assert [len(task.result().json()["data"]) for task in flood] == [24, 24]


async def test_the_few_texts_of_one_do_not_wait_for_the_many_of_another(
    ready: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = Turns(ready.app.state.embed_worker, monkeypatch)
    other = ready.keys.user_headers(make_principal())
    async with asyncio.TaskGroup() as group:
        flood = [
            group.create_task(
                ready.client.post("/v1/embeddings", json={"model": BUILTIN, "input": [LONG] * 16})
            )
            for _ in range(3)
        ]
        await eventually(lambda: turns.begun > 1)
        answer = await ready.client.post(
            "/v1/embeddings", json={"model": BUILTIN, "input": [LONG] * 4}, headers=other
        )
        assert answer.status_code == 200
        assert not any(task.done() for task in flood)


async def test_the_model_stops_for_a_client_that_has_left_and_what_it_computed_is_charged(
    ready: Any, billing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked again, the texts would else compete with themselves, and each copy be charged."""
    turns = Turns(ready.app.state.embed_worker, monkeypatch)
    texts = [LONG] * 40
    await eventually(lambda: not billing.open_holds)
    settled = len(billing.settled)
    asking = asyncio.create_task(ready.client.post("/v1/embeddings", json={"model": BUILTIN, "input": texts}))
    await eventually(lambda: turns.begun > 1)
    asking.cancel()
    await eventually(lambda: len(billing.settled) == settled + 1)
    assert turns.begun < len(turns_of(texts))
    *_, charged = billing.settled.values()
    assert charged["outcome"] == "stopped"
    assert charged["usage"]["input_tokens"] == turns.begun * 2 * LONG_TOKENS


async def test_who_has_left_before_the_first_turn_pays_nothing(ready: Any, billing: Any) -> None:
    embeddings, principal = ready.app.state.embeddings, make_principal()
    request = parse_embeddings(json.dumps({"model": BUILTIN, "input": "nobody waits"}).encode(), inputs_max=1)
    deployment = await embeddings.prepare(request, principal)
    options = {"traceparent": None, "priority": "background", "left": lambda: True}
    assert await embeddings.embed(request, deployment, principal, **options) is None
    assert list(billing.released.values()) == ["the client left"]


async def test_only_the_retrieval_service_says_what_is_urgent(
    ready: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    embed = EmbedWorker.embed

    async def noted(worker: Any, texts: list[str], **options: Any) -> Any:
        seen.append(options["priority"])
        return await embed(worker, texts, **options)

    monkeypatch.setattr(EmbedWorker, "embed", noted)
    person = make_principal()
    body = {"model": BUILTIN, "input": "now!"}
    urgent = {"x-atrium-priority": "interactive"}
    await ready.client.post("/v1/embeddings", json=body, headers=urgent)
    chat = ready.keys.service_headers("chat-service", target="inference-service", principal=person)
    await ready.client.post("/v1/embeddings", json=body, headers={**chat, **urgent})
    await ready.client.post("/v1/embeddings", json=body, headers=searching(ready, person))
    await ready.client.post(
        "/v1/embeddings", json=body, headers={**searching(ready, person), "x-atrium-priority": "background"}
    )
    assert seen == ["background", "background", "interactive", "background"]


async def test_one_person_cannot_fill_the_queue(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = ready.app.state.embed_worker
    monkeypatch.setattr(worker._queue, "_places_per_owner_max", 1)
    async with asyncio.TaskGroup() as group:
        flood = group.create_task(
            ready.client.post("/v1/embeddings", json={"model": BUILTIN, "input": [LONG] * 12})
        )
        await eventually(lambda: not worker._queue.idle)
        refused = await ready.client.post("/v1/embeddings", json={"model": BUILTIN, "input": "one more"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_embeddings")
        others = ready.keys.user_headers(make_principal())
        assert (
            await ready.client.post("/v1/embeddings", json={"model": BUILTIN, "input": "x"}, headers=others)
        ).status_code == 200
    assert flood.result().status_code == 200


def test_a_turn_holds_little_and_every_text_has_one() -> None:
    texts = [LONG, "short", "東京" * 200, *["word " * 20] * 50]
    turns = turns_of(texts)
    assert sorted(index for turn in turns for index in turn) == list(range(len(texts)))
    assert all(len(turn) <= 2 for turn in turns if 0 in turn or 2 in turn)
    assert max(map(len, turns)) <= 32
