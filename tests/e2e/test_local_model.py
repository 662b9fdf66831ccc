"""The built-in models on the real model server: an answer with no account anywhere, metered like
any other.
"""

import pytest
from atrium_local.catalogue import model_named
from suite.people import Person
from suite.stack import Stack
from suite.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

WEIGHTS_S = 230  # a first run fetches 490 MB


@pytest.fixture
def model_id(stack: Stack, person: Person) -> str:
    """The built-in chat model, once it answers."""

    def ready() -> bool:
        model = next(
            each for each in person.get("/api/v1/inference/models")["data"] if each["id"] == stack.model_id
        )
        assert model["status"] != "down", model["detail"]
        return bool(model["status"] == "ready")

    until(ready, within_s=WEIGHTS_S, what="the built-in model", every_s=0.5)
    return stack.model_id


def test_the_built_in_model_answers_in_a_chat(person: Person, model_id: str) -> None:
    chat = person.chat(model_id)
    turn = chat.post("Name three colours of the rainbow.", max_tokens=24, temperature=0)
    assert turn.status == "complete"
    assert len(turn.named("delta")) > 2
    assert any(character.isalpha() for character in turn.text)
    assert turn.usage["cost_nano"] > 0
    assert person.usage_settles_at(turn.usage["cost_nano"])["requests"] == 1


@pytest.mark.usefixtures("model_id")
def test_the_built_in_model_draws_tokens_as_its_authors_recommend(stack: Stack) -> None:
    """By the server's own defaults one answer in a few dozen repeated itself for a thousand tokens
    and more.
    """
    recommended = model_named(stack.model_id).sampling
    assert recommended is not None
    served = stack.model_sampling()
    names = ("temperature", "top_p", "top_k", "repeat_penalty")
    wanted = (recommended.temperature, recommended.top_p, recommended.top_k, recommended.repetition_penalty)
    assert tuple(served[name] for name in names) == pytest.approx(wanted)


def test_the_built_in_model_streams_to_the_official_client_at_its_listed_price(
    person: Person, model_id: str
) -> None:
    price = next(each for each in person.get("/api/v1/billing/prices")["data"] if each["model"] == model_id)
    stream = person.openai().chat.completions.create(
        model=model_id,
        messages=[{"role": "user", "content": "Name a colour."}],
        max_tokens=12,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    usage = chunks[-1].usage
    assert usage is not None
    assert 0 < usage.completion_tokens <= 12
    cached = (usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens) or 0
    exact = (
        (usage.prompt_tokens - cached) * price["input_nano_per_mtok"]
        + cached * price["cache_read_nano_per_mtok"]
        + usage.completion_tokens * price["output_nano_per_mtok"]
    )
    assert (usage.model_extra or {})["cost_nano"] == -(-exact // 1_000_000)
