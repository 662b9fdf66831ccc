"""Reranking by the built-in model with its real weights."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inference_service.embed_worker.encoder import Encoder
from inference_service.embed_worker.scoring import Scorer, TokenCache
from tokenizers import Tokenizer

MODEL = "all-minilm-l6-v2"
DOCUMENTS = [
    "the invoice is overdue",
    "a kitten sleeps on the rug",
    "cats are small carnivores kept as pets",
    "rain in the north",
]


async def rerank(running: Any, **members: Any) -> Any:
    return await running.client.post(
        "/v1/rerank", json={"model": MODEL, "query": "cat", "documents": DOCUMENTS, **members}
    )


@pytest.fixture
async def ready(start: Any, embedding_model: Path) -> AsyncIterator[Any]:
    async with start(embedding_model_path=embedding_model) as running:
        await running.models_found(MODEL)
        yield running


async def test_the_best_passage_comes_first_and_is_metered(
    ready: Any, billing: Any, embedding_model: Path
) -> None:
    body = (await rerank(ready)).json()
    assert (body["object"], body["model"]) == ("list", MODEL)
    assert [result["index"] for result in body["results"]][:2] == [2, 1]
    assert sorted(result["index"] for result in body["results"]) == [0, 1, 2, 3]
    scores = [result["relevance_score"] for result in body["results"]]
    assert scores == sorted(scores, reverse=True)
    assert all("document" not in result for result in body["results"])
    assert body["usage"]["prompt_tokens"] == billing.only_settlement()["usage"]["input_tokens"]
    tokenizer = Tokenizer.from_file(str(embedding_model / "tokenizer.json"))
    tokenizer.no_padding()
    assert body["usage"]["prompt_tokens"] == sum(
        len(tokenizer.encode(text).ids) for text in ("cat", *DOCUMENTS)
    )
    (hold,) = billing.holds.values()
    assert (hold["kind"], hold["output_tokens_max"]) == ("embedding", 0)


async def test_as_many_as_asked_for_with_their_texts(ready: Any) -> None:
    wrapped: list[Any] = [{"text": text} for text in DOCUMENTS]
    body = (await rerank(ready, documents=wrapped, top_n=2, return_documents=True)).json()
    assert [result["document"]["text"] for result in body["results"]] == [DOCUMENTS[2], DOCUMENTS[1]]


async def test_many_documents_keep_their_indexes_and_a_killed_worker_comes_back(
    ready: Any, billing: Any
) -> None:
    await rerank(ready)
    os.kill(ready.app.state.embed_worker.pid, signal.SIGKILL)
    documents = [f"weather report number {number}" for number in range(100)]
    documents[77] = "all about cats"
    body = (await rerank(ready, documents=documents)).json()
    assert body["results"][0]["index"] == 77
    assert len(body["results"]) == 100
    assert len(billing.settled) == 2
    assert not billing.open_holds


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": None}, "model"),
        ({"query": None}, "query"),
        ({"query": " "}, "query"),
        ({"query": ["cat"]}, "query"),
        ({"query": "x" * 70_000}, "query"),
        ({"documents": None}, "documents"),
        ({"documents": "text"}, "documents"),
        ({"documents": []}, "documents"),
        ({"documents": ["x"] * 101}, "documents"),
        ({"documents": ["x", ""]}, "documents"),
        ({"documents": ["x", 5]}, "documents"),
        ({"documents": [{"title": "x"}]}, "documents"),
        ({"documents": ["x" * 300_000]}, "documents"),
        ({"top_n": 0}, "top_n"),
        ({"return_documents": "yes"}, "return_documents"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_bad_input_is_400_naming_the_parameter(
    running: Any, billing: Any, members: dict[str, Any], param: str
) -> None:
    response = await rerank(running, **members)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert not billing.holds


async def test_a_model_without_token_vectors_does_not_rerank(running: Any, billing: Any) -> None:
    for model in ("fake-embed", "fake-echo"):
        response = await rerank(running, model=model)
        assert response.json()["error"]["code"] == "wrong_model_kind"
    assert not billing.holds


async def test_without_weights_the_model_is_loading(start: Any, tmp_path: Path, billing: Any) -> None:
    async with start(embedding_model_path=tmp_path) as running:
        await running.models_found(MODEL)
        assert (await rerank(running)).json()["error"]["code"] == "model_loading"
        assert not billing.holds


async def test_without_a_token_nothing_is_scored(running: Any) -> None:
    running.client.headers.pop("authorization")
    assert (await rerank(running)).status_code == 401


def test_a_score_is_the_mean_of_each_tokens_best_cosine(embedding_model: Path) -> None:
    encoder = Encoder(embedding_model, threads=1)
    query, long, short = encoder.encode_tokens(
        ["where do cats sleep", "a kitten sleeps on the rug " * 20, "rain"]
    )
    expected = [np.mean([max(float(a @ b) for b in document) for a in query]) for document in (long, short)]
    scores, tokens = Scorer(encoder.encode_tokens, TokenCache()).score(
        "where do cats sleep", ["a kitten sleeps on the rug " * 20, "rain"]
    )
    assert scores == pytest.approx(expected, abs=1e-3)
    assert tokens == [len(query), len(long), len(short)]


def test_what_was_read_before_is_not_read_again_within_a_bound() -> None:
    read: list[str] = []

    def encode(texts: list[str]) -> list[Any]:
        read.extend(texts)
        return [np.full((4, 8), 0.5, dtype=np.float32) for _ in texts]

    cache = TokenCache(bytes_max=3 * 4 * 8 * 2)
    scorer = Scorer(encode, cache)
    scorer.score("q", ["a", "b"])
    scorer.score("q", ["a", "a", "b"])
    assert read == ["q", "a", "b"]
    scores, _ = scorer.score("q", ["c", "d", "e", "f"])
    assert (len(cache), cache.size_bytes, len(scores)) == (3, 192, 4)
