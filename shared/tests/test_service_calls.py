"""What one service refuses arrives at the other as the same error, with its code and its extra members."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import orjson
import pytest
from identities import KeyRing
from pydantic import BaseModel
from servers import serve
from shared.auth.tokens import ServiceTokens
from shared.clients.calls import REFUSALS, ServiceCalls
from shared.errors import AppError, Unavailable, render_openai, render_problem
from shared.http import Timeouts, UpstreamPool

PROBLEMS = [{"field": "a.b", "code": "missing", "detail": "say it"}]


class Owner:
    """Answers what it is told."""

    def __init__(self) -> None:
        self.status, self.body = 200, b"{}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": self.body})


class Thing(BaseModel):
    name: str


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
async def calls(owner: Owner) -> AsyncIterator[ServiceCalls]:
    pool = UpstreamPool()
    tokens = ServiceTokens(signing_key_pem=KeyRing().pem("chat-service"), service="chat-service")
    timeouts = Timeouts(connect_s=5, first_byte_s=5, idle_s=5)
    async with serve(owner, lifespan="off") as url:
        yield ServiceCalls(
            pool,
            tokens,
            service="retrieval-service",
            base_url=url,
            timeouts=timeouts,
            answer_bytes_max=10_000,
        )
    await pool.aclose()


async def refused(calls: ServiceCalls) -> AppError:
    with pytest.raises(AppError) as caught:
        await calls.call("GET", "/thing", None)
    return caught.value


@pytest.mark.parametrize("kind", REFUSALS.values(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("envelope", ["problem", "openai"])
async def test_a_refusal_is_the_same_error_at_the_next_hop_and_the_one_after(
    calls: ServiceCalls, owner: Owner, kind: type[AppError], envelope: str
) -> None:
    error = kind("do this", code="its_own_code", extra={"limit_nano": 7, "resets_at": None, "param": "model"})
    for _ in range(2):
        render = render_openai if envelope == "openai" else partial(render_problem, instance="/x")
        rendered = render(error, request_id="request-1")
        owner.status, owner.body = error.status, rendered[2]
        error = await refused(calls)
        assert (type(error), error.code, error.detail) == (kind, "its_own_code", "do this")
        assert error.extra == {"limit_nano": 7, "resets_at": None, "param": "model"}


async def test_the_fields_that_were_wrong_are_named_at_each_hop(calls: ServiceCalls, owner: Owner) -> None:
    owner.status = 422
    owner.body = render_problem(REFUSALS[422]("a.b: say it", errors=PROBLEMS), request_id="r", instance="/x")[
        2
    ]
    assert (await refused(calls)).errors == PROBLEMS


@pytest.mark.parametrize(
    ("status", "code"), [(503, "database_down"), (502, "upstream_failed"), (504, "upstream_timeout")]
)
async def test_what_failed_behind_it_keeps_its_code_and_may_be_asked_again(
    calls: ServiceCalls, owner: Owner, status: int, code: str
) -> None:
    owner.status, owner.body = status, orjson.dumps({"code": code, "detail": "away", "status": status})
    error = await refused(calls)
    assert (type(error), error.code, error.detail) == (Unavailable, code, "away")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"code": "internal_error", "detail": "something went wrong"}'),
        (503, b'{"code": "unavailable", "detail": "away"}'),
        (401, b'{"code": "invalid_token", "detail": "sign in"}'),
        (403, b"<html>"),
        (404, b"[]"),
        (307, b""),
    ],
)
async def test_what_says_nothing_to_the_person_is_a_service_that_is_away(
    calls: ServiceCalls, owner: Owner, status: int, body: bytes
) -> None:
    owner.status, owner.body = status, body
    error = await refused(calls)
    assert (type(error), error.code) == (Unavailable, "retrieval_unavailable")


async def test_an_answer_is_read_in_the_words_of_its_contract(calls: ServiceCalls, owner: Owner) -> None:
    owner.body = b'{"name": "n", "later": 1}'
    assert await calls.call_for(Thing, "POST", "/thing", None, Thing(name="a")) == Thing(name="n")
    owner.body = b'{"title": "n"}'
    with pytest.raises(Unavailable):
        await calls.call_for(Thing, "GET", "/thing", None)
    owner.body = b"x" * 20_000
    with pytest.raises(Unavailable):
        await calls.call_raw("GET", "/thing", None)
