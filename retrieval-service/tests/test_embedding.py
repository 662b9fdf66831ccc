"""How many passages one request for vectors holds, and what is lost when it is not answered in time."""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import pytest
import pytest_asyncio
from identities import make_principal
from retrieval_service.ingestion import embedding
from retrieval_service.ingestion.embedding import Embedder
from retrieval_service.vectors.port import DIMENSIONS
from shared.db import Database
from shared.errors import Unavailable
from shared.http import UpstreamTimeout
from shared.ids import uuid7

ANSWER_MAX_S = 150


class Model:
    """Takes `text_s` for each text, on a clock of its own."""

    def __init__(self) -> None:
        self.text_s = 2.75
        self.now_s = 0.0
        self.asked: list[int] = []

    async def embed(self, _principal: Any, _model: str, texts: Sequence[str]) -> list[list[float]]:
        self.asked.append(len(texts))
        self.now_s += min(self.text_s * len(texts), ANSWER_MAX_S)
        if self.text_s * len(texts) > ANSWER_MAX_S:
            raise Unavailable("late") from UpstreamTimeout("first_byte", "http://model")
        return [[float(len(text))] * DIMENSIONS for text in texts]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    model = Model()
    monkeypatch.setattr(embedding, "_PAUSE_S", 0)
    monkeypatch.setattr(embedding, "monotonic_s", lambda: model.now_s)
    return model


@pytest_asyncio.fixture
async def embedder(service_database: Callable[[str], Any], model: Any) -> AsyncGenerator[Embedder]:
    database = Database(service_database("retrieval-service").app_url, schema="retrieval", pool_max=2)
    yield Embedder(
        database,
        model,
        model="m",
        answer_max_s=ANSWER_MAX_S,
        wait_max_s=3600,
        cache_rows_max=1000,
        cache_days=1,
    )
    await database.dispose()


def batch() -> list[str]:
    return [f"{uuid7()} {'x' * number}" for number in range(64)]


async def test_a_batch_that_takes_too_long_is_asked_for_in_halves(embedder: Embedder, model: Model) -> None:
    vectors = await embedder.embed(make_principal(), batch())
    assert (len(vectors), model.asked) == (64, [64, 32, 32])
    await embedder.embed(make_principal(), batch())
    assert model.asked == [64, 32, 32, 32, 32]


async def test_batches_grow_again_as_the_model_gets_faster(embedder: Embedder, model: Model) -> None:
    model.text_s = 20
    await embedder.embed(make_principal(), batch())
    assert model.asked == [64, 32, 16, 8, *[4] * 16][: len(model.asked)]
    model.asked.clear()
    model.text_s = 0.1
    await embedder.embed(make_principal(), batch())
    assert sum(model.asked) == 64
    assert len(model.asked) < 6
    model.asked.clear()
    await embedder.embed(make_principal(), batch())
    assert model.asked == [64]


async def test_what_was_answered_before_a_failure_is_not_asked_for_again(
    embedder: Embedder, model: Model
) -> None:
    texts, answer = batch(), model.embed

    async def once(principal: Any, name: str, asked: Sequence[str]) -> list[list[float]]:
        if len(model.asked) == 2:
            raise ConnectionError
        return await answer(principal, name, asked)

    model.embed = once  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        await embedder.embed(make_principal(), texts)
    model.embed = answer  # type: ignore[method-assign]
    await embedder.embed(make_principal(), texts)
    assert model.asked == [64, 32, 32]
