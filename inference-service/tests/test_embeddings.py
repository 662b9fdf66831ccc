"""Embeddings: by a provider, and by the built-in model with its real weights."""

import asyncio
import base64
import errno
import math
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import fake_replies
import pytest
from fake_provider import FakeProvider
from suite.waiting import eventually

BUILTIN = "all-minilm-l6-v2"


async def embed(running: Any, texts: Any, model: str = BUILTIN, **members: Any) -> Any:
    return await running.client.post("/v1/embeddings", json={"model": model, "input": texts, **members})


def cosine(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True)) / (math.hypot(*left) * math.hypot(*right))


async def test_a_providers_vectors_are_metered(running: Any, billing: Any) -> None:
    response = await embed(running, ["one two", "three"], "fake-embed")
    body = response.json()
    assert [entry["index"] for entry in body["data"]] == [0, 1]
    assert body["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert response.headers["x-atrium-cost-nano"] == "30"
    (hold,) = billing.holds.values()
    assert (hold["kind"], hold["output_tokens_max"]) == ("embedding", 0)
    assert billing.only_settlement()["usage"]["input_tokens"] == 3


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": [1, 2]}, "input"),
        ({"input": [[1, 2]]}, "input"),
        ({"input": ["x"] * 5000}, "input"),
        ({"input": "x", "encoding_format": "int8"}, "encoding_format"),
        ({"input": "x", "dimensions": 0}, "dimensions"),
    ],
)
async def test_bad_input_is_400_naming_the_parameter(
    running: Any, billing: Any, members: dict[str, Any], param: str
) -> None:
    response = await running.client.post("/v1/embeddings", json={"model": "fake-embed", **members})
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert not billing.holds


async def test_a_chat_model_does_not_embed(running: Any) -> None:
    assert (await embed(running, "x", "fake-echo")).json()["error"]["code"] == "wrong_model_kind"


async def test_vectors_that_do_not_fit_are_paid_for_like_any_broken_answer(
    running: Any, billing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = fake_replies.embeddings
    monkeypatch.setattr(
        fake_replies, "embeddings", lambda payload: complete({**payload, "input": payload["input"][:1]})
    )
    response = await embed(running, ["one two", "three"], "fake-embed")
    assert (response.status_code, response.json()["error"]["code"]) == (502, "provider_error")
    assert billing.only_settlement()["outcome"] == "failed"


@pytest.mark.parametrize(
    ("path", "members"),
    [("/v1/embeddings", {"input": "x"}), ("/v1/rerank", {"query": "x", "documents": ["y"]})],
)
async def test_a_failure_that_nobody_foresaw_ends_the_hold(
    start: Any,
    embedding_model: Path,
    billing: Any,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    members: dict[str, Any],
) -> None:
    async def no_process(*_: Any, **__: Any) -> None:
        raise OSError(errno.EAGAIN, "no more processes")

    async with start(embedding_model_path=embedding_model) as running:
        await running.models_found(BUILTIN)
        monkeypatch.setattr(asyncio, "create_subprocess_exec", no_process)
        assert (await running.client.post(path, json={"model": BUILTIN, **members})).status_code == 500
        assert not running.app.state.meter.live
        assert not billing.open_holds


async def test_dimensions_reach_a_provider(running: Any, provider: FakeProvider) -> None:
    response = await embed(running, "x", "fake-embed", dimensions=8)
    assert len(response.json()["data"][0]["embedding"]) == 8


async def test_without_weights_the_model_is_loading(start: Any, tmp_path: Path, billing: Any) -> None:
    async with start(embedding_model_path=tmp_path) as running:
        await running.models_found(BUILTIN)
        response = await embed(running, "x")
        assert (response.status_code, response.json()["error"]["code"]) == (503, "model_loading")
        assert not billing.holds


async def test_the_built_in_model_places_related_texts_together(
    start: Any, embedding_model: Path, billing: Any
) -> None:
    async with start(embedding_model_path=embedding_model) as running:
        await running.models_found(BUILTIN)
        response = await embed(
            running, ["a cat sits on the mat", "a kitten is on the rug", "the invoice is overdue"]
        )
        cat, kitten, invoice = (entry["embedding"] for entry in response.json()["data"])
        assert len(cat) == 384
        assert math.hypot(*cat) == pytest.approx(1, abs=1e-5)
        assert cosine(cat, kitten) - cosine(cat, invoice) > 0.4
        assert (
            response.json()["usage"]["prompt_tokens"]
            == billing.only_settlement()["usage"]["input_tokens"]
            == 25
        )


async def test_base64_holds_the_same_vector(start: Any, embedding_model: Path) -> None:
    async with start(embedding_model_path=embedding_model) as running:
        await running.models_found(BUILTIN)
        floats = (await embed(running, "hello")).json()["data"][0]["embedding"]
        packed = base64.b64decode(
            (await embed(running, "hello", encoding_format="base64")).json()["data"][0]["embedding"]
        )
        assert struct.unpack("<384f", packed) == pytest.approx(floats, abs=1e-6)


async def test_long_texts_are_cut_and_many_keep_their_order(start: Any, embedding_model: Path) -> None:
    async with start(embedding_model_path=embedding_model) as running:
        await running.models_found(BUILTIN)
        texts = ["word " * 1000, *(f"text number {number}" for number in range(131))]
        body = (await embed(running, texts)).json()
        assert len(body["data"]) == 132
        alone = (await embed(running, "text number 130")).json()["data"][0]["embedding"]
        assert cosine(body["data"][131]["embedding"], alone) == pytest.approx(1, abs=1e-4)
        assert body["usage"]["prompt_tokens"] < 256 + 131 * 8


async def test_a_killed_worker_comes_back_and_nothing_is_charged_twice(
    start: Any, embedding_model: Path, billing: Any
) -> None:
    async with start(embedding_model_path=embedding_model) as running:
        await running.models_found(BUILTIN)
        await embed(running, "one")
        first = running.app.state.embed_worker.pid
        os.kill(first, signal.SIGKILL)
        assert (await embed(running, "two")).status_code == 200
        assert running.app.state.embed_worker.pid != first
        assert len(billing.settled) == 2
        assert not billing.open_holds


async def test_an_idle_worker_is_stopped_and_starts_again(start: Any, embedding_model: Path) -> None:
    async with start(embedding_model_path=embedding_model, embedding_idle_s=0.3) as running:
        await running.models_found(BUILTIN)
        await embed(running, "one")
        assert running.app.state.embed_worker.pid is not None
        await eventually(lambda: running.app.state.embed_worker.pid is None)
        assert (await embed(running, "two")).status_code == 200


def test_the_service_itself_imports_none_of_the_arithmetic() -> None:
    heavy = ("numpy", "onnx", "onnxruntime", "tokenizers", "ollama")
    code = f"import sys, inference_service.main; print([name for name in {heavy} if name in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )
