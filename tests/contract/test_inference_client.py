"""The typed clients of inference-service against the real one: vectors, scores, streams, windows."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from identities import make_principal
from shared.auth.principal import Principal
from shared.clients.completions import CompletionRefusedError, Completions, Dispatched, Finished, Text
from shared.clients.inference import InferenceClient
from shared.clients.windows import ModelWindows
from shared.contracts.chat import MessageUsage
from shared.errors import BadRequest, Forbidden, NotFound, Unavailable
from shared.http import Timeouts, UpstreamPool
from shared.ids import uuid7
from shared.settings import BUILT_IN_EMBEDDING_MODEL
from suite.people import Person
from suite.ports import free_port
from suite.stack import MODEL_ID, UNPRICED_MODEL, Stack

pytestmark = pytest.mark.e2e

PATIENT = Timeouts(connect_s=2, first_byte_s=30, idle_s=30, write_s=5)


@pytest.fixture
async def pool() -> AsyncIterator[UpstreamPool]:
    opened = UpstreamPool()
    yield opened
    await opened.aclose()


@pytest.fixture
def inference(stack: Stack, pool: UpstreamPool) -> InferenceClient:
    """As the retrieval-service builds it."""
    tokens, base_url = stack.service_tokens("retrieval-service"), stack.url("inference-service")
    return InferenceClient(pool, tokens, base_url=base_url, timeouts=PATIENT)


@pytest.fixture
def completions(stack: Stack, pool: UpstreamPool) -> Completions:
    """As the chat-service builds it."""
    tokens, base_url = stack.service_tokens("chat-service"), stack.url("inference-service")
    return Completions(pool, tokens, base_url=base_url, timeouts=PATIENT)


@pytest.fixture
def asker(person: Person) -> Principal:
    return make_principal(user_id=UUID(person.id))


def question(model: str, text: str = "one two three") -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}]}


async def test_vectors_come_in_the_order_of_their_texts(inference: InferenceClient, asker: Principal) -> None:
    vectors = await inference.embed(asker, BUILT_IN_EMBEDDING_MODEL, ["a lighthouse", "a recipe"])
    turned = await inference.embed(asker, BUILT_IN_EMBEDDING_MODEL, ["a recipe", "a lighthouse"])
    assert [len(vector) for vector in vectors] == [384, 384]
    assert vectors == [pytest.approx(vector, abs=1e-3) for vector in reversed(turned)]
    assert vectors[0] != pytest.approx(vectors[1], abs=1e-3)


async def test_scores_come_in_the_order_of_their_documents(
    inference: InferenceClient, asker: Principal
) -> None:
    documents = [
        "Flour, sugar and two eggs.",
        "The keeper of the lighthouse is called Ottilie.",
        "It rains on Thursdays.",
    ]
    scores = await inference.rerank(asker, BUILT_IN_EMBEDDING_MODEL, "Who keeps the lighthouse?", documents)
    assert scores.index(max(scores)) == 1
    assert len(scores) == len(documents)


async def test_refusals_arrive_as_the_same_errors(inference: InferenceClient, asker: Principal) -> None:
    with pytest.raises(NotFound) as unknown:
        await inference.embed(asker, "never-heard-of", ["a"])
    assert unknown.value.code == "model_not_found"
    narrow = make_principal(user_id=asker.user_id, models=("another-model",))
    with pytest.raises(Forbidden) as forbidden:
        await inference.embed(narrow, BUILT_IN_EMBEDDING_MODEL, ["a"])
    assert forbidden.value.code == "model_not_allowed"
    with pytest.raises(BadRequest) as wrong_kind:
        await inference.embed(asker, "fake-echo", ["a"])
    assert wrong_kind.value.code == "wrong_model_kind"


async def test_a_stream_gives_its_dispatch_its_words_its_end_and_its_cost(
    completions: Completions, asker: Principal
) -> None:
    dispatch_id = uuid7()
    parts = [part async for part in completions.stream(asker, question("fake-echo"), dispatch_id=dispatch_id)]
    assert parts[0] == Dispatched(str(dispatch_id))
    assert "".join(part.text for part in parts if isinstance(part, Text)) == "one two three"
    assert [part.reason for part in parts if isinstance(part, Finished)] == ["stop"]
    (usage,) = (part for part in parts if isinstance(part, MessageUsage))
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cost_nano) == (3, 3, 3 * 1000 + 3 * 3000)


@pytest.mark.parametrize(
    ("model", "code", "status"),
    [("never-heard-of", "model_not_found", 404), (UNPRICED_MODEL, "price_unknown", 402)],
)
async def test_a_refused_stream_says_why(
    completions: Completions, asker: Principal, model: str, code: str, status: int
) -> None:
    with pytest.raises(CompletionRefusedError) as refused:
        async for _ in completions.stream(asker, question(model)):
            pass
    assert (refused.value.error.code, refused.value.error.status) == (code, status)


async def test_windows_are_known_for_the_built_in_model_and_guessed_for_a_stranger(
    stack: Stack, pool: UpstreamPool, asker: Principal
) -> None:
    tokens, base_url = stack.service_tokens("chat-service"), stack.url("inference-service")
    windows = ModelWindows(pool, tokens, base_url=base_url, connect_timeout_s=2, tokens_max=1_000_000)
    known, guessed = await windows.window(asker, MODEL_ID), await windows.window(asker, "never-heard-of")
    assert known.known
    assert 0 < known.prompt_tokens < known.context_tokens
    assert not guessed.known


async def test_silence_is_an_unavailable_inference(
    stack: Stack, pool: UpstreamPool, asker: Principal
) -> None:
    base_url = f"http://127.0.0.1:{free_port()}"
    nowhere = InferenceClient(
        pool, stack.service_tokens("retrieval-service"), base_url=base_url, timeouts=PATIENT
    )
    with pytest.raises(Unavailable) as silent:
        await nowhere.embed(asker, BUILT_IN_EMBEDDING_MODEL, ["a"])
    assert silent.value.code == "inference_unavailable"
