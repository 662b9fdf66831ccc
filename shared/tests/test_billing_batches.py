"""Reserves, settlements and releases of one process travel together, and each is answered as if it had come
alone.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from identities import KeyRing
from servers import read_body, serve
from shared.auth.tokens import ServiceTokens
from shared.clients import billing as billing_module
from shared.clients import gathering as gathering_module
from shared.clients.billing import BillingClient, BillingRefused, BillingUnavailable
from shared.contracts.billing import BATCH_ENTRIES_MAX, UNDECIDED
from shared.errors import NotFound, PaymentRequired
from shared.http import Timeouts, UpstreamDisconnected, UpstreamPool
from shared.logs import request_id_var

BATCH = "/internal/v1/reservations/batch"
SETTLEMENT = {"usage": {}, "source": "provider", "outcome": "complete"}


@dataclass
class Billing:
    """Answers when it is let; `refusals` by dispatch, `status` for whole batches."""

    calls: list[tuple[str, Any]] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    refusals: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    status: int = 200
    breaks_off: bool = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = orjson.loads(await read_body(receive))
        async with self.arrived:
            self.calls.append((scope["path"], body))
            self.arrived.notify_all()
        await self.open.wait()
        status, answer = self.route(scope["path"], body)
        if self.breaks_off:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
            await send({"type": "http.response.body", "body": b"{", "more_body": True})
            raise ConnectionResetError
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": orjson.dumps(answer)})

    def route(self, path: str, body: Any) -> tuple[int, Any]:
        if path != BATCH:
            return self.one(body.get("request_id") or path.split("/")[-2])
        if self.status != 200:
            return self.status, {"detail": "scripted"}
        answers = [
            self.one(entry.get("dispatch_id") or entry["body"]["request_id"]) for entry in body["entries"]
        ]
        return 200, {"answers": [{"status": status, "body": answer} for status, answer in answers]}

    def one(self, dispatch_id: str) -> tuple[int, dict[str, Any]]:
        return self.refusals.get(dispatch_id, (200, {"of": dispatch_id}))

    async def called(self, count: int) -> None:
        async with asyncio.timeout(20):
            async with self.arrived:
                await self.arrived.wait_for(lambda: len(self.calls) >= count)

    @property
    def sizes(self) -> list[int]:
        """Entries of each batch so far."""
        return [len(body["entries"]) for path, body in self.calls if path == BATCH]


@pytest.fixture
def service() -> Billing:
    return Billing()


@pytest.fixture
async def client(service: Billing) -> AsyncIterator[BillingClient]:
    pool = UpstreamPool()
    tokens = ServiceTokens(signing_key_pem=KeyRing().pem("inference-service"), service="inference-service")
    async with serve(service, lifespan="off") as url:
        yield BillingClient(
            pool, tokens, base_url=url, timeouts=Timeouts(connect_s=5, first_byte_s=10, idle_s=10)
        )
        service.open.set()
    await pool.aclose()


def start(
    client: BillingClient, dispatch_id: UUID | None = None, **members: Any
) -> "asyncio.Task[dict[str, Any]]":
    return asyncio.ensure_future(client.reserve({"request_id": dispatch_id or uuid4(), **members}))


async def in_flight(client: BillingClient, service: Billing) -> "asyncio.Task[dict[str, Any]]":
    """A call that waits at billing, so that others gather."""
    before = len(service.calls)
    first = start(client)
    await service.called(before + 1)
    return first


async def test_a_lone_call_leaves_at_once_and_what_comes_meanwhile_leaves_together(
    client: BillingClient, service: Billing
) -> None:
    first = await in_flight(client, service)
    others = [uuid4() for _ in range(3)]
    tasks = [start(client, each) for each in others]
    settled = asyncio.ensure_future(client.settle(others[0], SETTLEMENT))
    released = asyncio.ensure_future(client.release(others[1], reason="why"))
    await asyncio.sleep(0)
    service.open.set()
    await first
    assert [answer["of"] for answer in await asyncio.gather(*tasks)] == [str(each) for each in others]
    assert [(await settled)["of"], (await released)["of"]] == [str(others[0]), str(others[1])]
    assert service.sizes == [1, 5]


async def test_calls_of_one_turn_leave_together(client: BillingClient, service: Billing) -> None:
    service.open.set()
    await asyncio.gather(*(start(client) for _ in range(7)))
    assert service.sizes == [7]


async def test_after_a_batch_of_several_the_next_waits_for_those_who_were_answered(
    client: BillingClient, service: Billing, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pause in ("_PAUSE_S", "_WAIT_S_MAX"):
        monkeypatch.setattr(gathering_module, pause, 3600.0)  # only what else ends the wait can end it
    service.open.set()
    await asyncio.gather(*(start(client) for _ in range(3)))
    early = start(client)
    await asyncio.sleep(0.05)
    assert service.sizes == [3]
    await asyncio.gather(early, *(start(client) for _ in range(BATCH_ENTRIES_MAX - 1)))
    assert service.sizes == [3, BATCH_ENTRIES_MAX]


async def test_what_gathered_behind_a_batch_of_several_waits_for_those_who_were_answered(
    client: BillingClient, service: Billing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering_module, "_WAIT_S_MAX", 3600.0)
    monkeypatch.setattr(gathering_module, "_PAUSE_S", 3600.0)
    first = [start(client) for _ in range(3)]
    await service.called(1)
    behind = start(client)
    await asyncio.sleep(0)
    service.open.set()
    await asyncio.gather(*first)
    again = [start(client) for _ in range(BATCH_ENTRIES_MAX - 1)]
    await asyncio.gather(behind, *again)
    assert service.sizes == [3, BATCH_ENTRIES_MAX]


async def test_after_a_lone_call_the_next_leaves_at_once(
    client: BillingClient, service: Billing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering_module, "_PAUSE_S", 3600.0)
    service.open.set()
    for _ in range(3):
        await start(client)
    assert service.sizes == [1, 1, 1]


async def test_a_batch_is_bounded_in_number_and_size(client: BillingClient, service: Billing) -> None:
    service.open.set()
    await asyncio.gather(*(start(client) for _ in range(BATCH_ENTRIES_MAX + 3)))
    assert service.sizes == [BATCH_ENTRIES_MAX, 3]
    service.calls.clear()
    await asyncio.gather(*(start(client, filler="x" * 50_000) for _ in range(12)))
    assert len(service.sizes) > 1
    assert sum(service.sizes) == 12


async def test_an_entry_that_is_too_large_goes_alone(client: BillingClient, service: Billing) -> None:
    service.open.set()
    await start(client, filler="x" * 70_000)
    assert [path for path, _ in service.calls] == ["/internal/v1/reservations"]


async def test_a_call_that_hangs_holds_nobody_back(client: BillingClient, service: Billing) -> None:
    hanging = await in_flight(client, service)
    later = start(client)
    await service.called(2)
    assert not hanging.done()
    service.open.set()
    await asyncio.gather(hanging, later)


async def test_each_entry_is_granted_or_refused_alone(client: BillingClient, service: Billing) -> None:
    service.open.set()
    poor, unknown, odd, away, rich = (uuid4() for _ in range(5))
    service.refusals = {
        str(poor): (402, {"code": "insufficient_credits", "detail": "no money", "required_nano": 7}),
        str(unknown): (404, {"code": "hold_unknown", "detail": "none"}),
        str(odd): (409, {"code": "request_id_reused", "detail": "again"}),
        str(away): (503, {"code": "unavailable", "detail": "away"}),
    }
    answers = await asyncio.gather(
        *(start(client, each) for each in (poor, unknown, odd, away, rich)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [
        PaymentRequired,
        NotFound,
        BillingRefused,
        BillingUnavailable,
        dict,
    ]
    refused = answers[0]
    assert isinstance(refused, PaymentRequired)
    assert (refused.code, refused.extra, refused.headers["x-should-retry"]) == (
        "insufficient_credits",
        {"required_nano": 7},
        "false",
    )
    assert service.sizes == [5]


async def test_who_gives_up_takes_nobody_along(client: BillingClient, service: Billing) -> None:
    first = await in_flight(client, service)
    gone, stays = start(client), start(client)
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    service.open.set()
    await first
    await stays
    assert service.sizes == [1, 1], "what was given up before it left was not sent"
    service.open.clear()
    sent, stays = start(client), start(client)
    await service.called(3)
    sent.cancel()
    await asyncio.sleep(0)
    service.open.set()
    assert (await stays)["of"]


async def test_a_batch_that_fails_gives_each_what_a_failed_call_would(
    client: BillingClient, service: Billing
) -> None:
    service.open.set()
    service.status = 500
    answers = await asyncio.gather(*(start(client) for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [BillingUnavailable] * 3
    service.breaks_off = True
    answers = await asyncio.gather(*(start(client) for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [BillingUnavailable] * 3
    assert len({id(answer) for answer in answers}) == 3
    assert all(
        isinstance(answer.__cause__, UpstreamDisconnected)
        for answer in answers
        if isinstance(answer, BaseException)
    )


@pytest.mark.parametrize("status", [404, 405])
async def test_a_billing_without_batches_is_called_one_by_one_and_asked_again_later(
    client: BillingClient, service: Billing, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    now_s = 1_000.0
    monkeypatch.setattr(billing_module, "monotonic_s", lambda: now_s)
    service.open.set()
    service.status = status
    await asyncio.gather(*(start(client) for _ in range(3)))
    await start(client)
    assert [path for path, _ in service.calls] == [BATCH, *["/internal/v1/reservations"] * 4]
    service.status, service.calls = 200, []
    now_s += 31
    await start(client)
    assert [path for path, _ in service.calls] == [BATCH]


async def test_a_batch_that_cannot_be_read_is_sent_one_by_one(
    client: BillingClient, service: Billing
) -> None:
    service.open.set()
    service.status = 413
    await asyncio.gather(*(start(client) for _ in range(2)))
    await start(client)
    assert [path for path, _ in service.calls] == [
        BATCH,
        *["/internal/v1/reservations"] * 2,
        BATCH,
        "/internal/v1/reservations",
    ]


async def test_each_entry_carries_the_request_that_it_is_made_for(
    client: BillingClient, service: Billing
) -> None:
    service.open.set()
    tasks: list[asyncio.Task[dict[str, Any]]] = []
    for name in ("request-one", "request-two"):
        token = request_id_var.set(name)
        tasks.append(start(client))
        request_id_var.reset(token)
    await asyncio.gather(*tasks)
    (_, body), *none = service.calls
    assert [entry["request_id"] for entry in body["entries"]] == ["request-one", "request-two"]
    assert not none


async def test_what_is_not_decided_with_the_others_is_asked_for_alone(
    client: BillingClient, service: Billing
) -> None:
    service.open.set()
    late, quick = uuid4(), uuid4()
    service.refusals[str(late)] = (503, {"code": UNDECIDED, "detail": "not yet"})
    tasks = [start(client, late), start(client, quick)]
    assert (await tasks[1])["of"] == str(quick)
    with pytest.raises(BillingUnavailable):  # that is what it is told alone too
        await tasks[0]
    assert service.sizes == [2]
    assert [body.get("request_id") for path, body in service.calls if path != BATCH] == [str(late)]
