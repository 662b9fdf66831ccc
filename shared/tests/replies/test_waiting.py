"""What a reply waits for, and for how long."""

from dataclasses import dataclass

import pytest
from shared.clients.completions import CompletionRefusedError, ModelNotReadyError
from shared.contracts.chat import LoadProgress
from shared.replies.waiting import ServiceAwayError, Waits


@dataclass(frozen=True)
class Limits:
    model_wait_max_s: float = 60
    model_retry_max_s: float = 0
    provider_connect_wait_max_s: float = 60


@pytest.fixture
def shown() -> list[tuple[str, LoadProgress | None]]:
    return []


def waits_for(shown: list[tuple[str, LoadProgress | None]], **limits: float) -> Waits:
    return Waits(Limits(**limits), lambda reason, progress: shown.append((reason, progress)))


async def test_a_wait_is_shown_once_for_as_long_as_it_is_the_same(
    shown: list[tuple[str, LoadProgress | None]],
) -> None:
    waits = waits_for(shown)
    for downloaded in (1, 1, 2):
        progress = LoadProgress(downloaded_bytes=downloaded)
        await waits.model(ModelNotReadyError("model_loading", retry_after_s=0, progress=progress))
    assert shown == [
        ("model_loading", LoadProgress(downloaded_bytes=1)),
        ("model_loading", LoadProgress(downloaded_bytes=2)),
    ]


async def test_a_model_that_takes_too_long_refuses_in_its_own_words(
    shown: list[tuple[str, LoadProgress | None]],
) -> None:
    with pytest.raises(CompletionRefusedError) as refused:
        await waits_for(shown, model_wait_max_s=0).model(
            ModelNotReadyError("model_busy", retry_after_s=0, progress=None)
        )
    assert (refused.value.error.code, refused.value.error.status, shown) == ("model_busy", 503, [])


async def test_a_service_that_stays_away_is_what_the_reply_fails_of(
    shown: list[tuple[str, LoadProgress | None]],
) -> None:
    waits = waits_for(shown, provider_connect_wait_max_s=0)
    with pytest.raises(CompletionRefusedError) as refused:
        await waits.model(ModelNotReadyError("service_away", retry_after_s=0, progress=None))
    assert refused.value.error.code == "service_away"
    with pytest.raises(KeyError):
        await waits.service_away(KeyError())

    async def away() -> None:
        raise ServiceAwayError(LookupError())

    with pytest.raises(LookupError):
        await waits.through(away)


async def test_what_comes_back_in_time_answers(shown: list[tuple[str, LoadProgress | None]]) -> None:
    failures: list[Exception] = [ServiceAwayError(LookupError())]

    async def ask() -> str:
        if failures:
            raise failures.pop()
        return "here"

    assert await waits_for(shown, provider_connect_wait_max_s=0.3).through(ask) == "here"
    assert shown == [("service_away", None)]
