"""Limits of several gateway processes: the counts in Redis give the answers of the counts in memory."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from gateway_service.identity.ports import Identity, Quota
from gateway_service.limits import replicas as replicas_module
from gateway_service.limits import shared_bucket, shared_tries
from gateway_service.limits.bucket import BucketLimiter
from gateway_service.limits.ports import Decision, RouteClass
from gateway_service.limits.replicas import Replicas
from gateway_service.limits.shared_bucket import SharedBucketLimiter
from gateway_service.limits.shared_tries import SharedCalls, SharedTries
from gateway_service.limits.tries import Tries, TryWindow
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from identities import make_principal
from redis_world import RedisServer, by_test_clock, set_clock
from shared.adapters.redis import RedisClient
from shared.errors import TooManyRequests, Unauthenticated, Unavailable

START_MICROS = 1_790_000_000_250_000
PATIENT_S = 20.0
QUOTAS = (Quota("user:a", 3), Quota("org:o", 5), Quota("key:k", 4))
EXAMPLES = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
micros = st.one_of(
    st.integers(0, 90_000_000), st.sampled_from([0, 1, 1_000_000, 15_000_000, 60_000_000, 1_300_000_000])
)


def identity(*quotas: Quota) -> Identity:
    return Identity(principal=make_principal(), hop_authorization=b"Bearer x", quotas=quotas)


@asynccontextmanager
async def member(url: str) -> AsyncIterator[Replicas]:
    """One process among those that share the Redis."""
    found = Replicas(RedisClient(url, timeout_s=PATIENT_S, meanwhile="-"))
    try:
        yield found
    finally:
        await found.leave()


@pytest.fixture
def clock(redis_url: str, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The client that sets the time of Redis, which stands still otherwise."""
    monkeypatch.setattr(shared_bucket, "BUCKETS", by_test_clock(shared_bucket.BUCKETS))
    monkeypatch.setattr(shared_tries, "TRY", by_test_clock(shared_tries.TRY))
    monkeypatch.setattr(replicas_module, "HEARTBEAT", by_test_clock(replicas_module.HEARTBEAT))
    with redis_server.client() as client:
        set_clock(client, START_MICROS)
        yield client


class Moment:
    """The time of Redis, and the same for counts in memory."""

    def __init__(self, client: Any) -> None:
        self._client = client
        client.flushall()
        self._micros = START_MICROS
        self.now = set_clock(client, START_MICROS)

    def move(self, micros: int) -> None:
        self._micros += micros
        self.now = set_clock(self._client, self._micros)

    def __call__(self) -> float:
        return self.now


actions = st.tuples(
    micros,
    st.sampled_from(["take", "take", "take", "give", "forgive", "fail"]),
    st.sampled_from([QUOTAS, QUOTAS[:2], QUOTAS[:1], (Quota("user:a", 2), Quota("org:o", 5))]),
    st.sampled_from(list(RouteClass)),
)


Step = tuple[int, str, tuple[Quota, ...], RouteClass]
WIDE = (Quota("user:w", 12),)


@EXAMPLES
@given(steps=st.lists(actions, max_size=40))
@example(steps=[(0, what, WIDE, RouteClass.REST) for what in ("take", "forgive", "take") for _ in range(12)])
async def test_the_same_requests_at_the_same_times_get_the_same_answers(
    redis_url: str, clock: Any, steps: list[Step]
) -> None:
    moment = Moment(clock)
    local = BucketLimiter(failures_per_minute=2, clock=moment)
    async with member(redis_url) as replicas:
        shared = SharedBucketLimiter(replicas, BucketLimiter(failures_per_minute=2))
        for later, what, quotas, route_class in steps:
            moment.move(later)
            caller = identity(*quotas)
            if what == "take":
                assert await shared.check(caller, route_class) == local.check(caller, route_class)
            elif what == "fail":
                assert await shared.count_failure("192.0.2.1") == local.count_failure("192.0.2.1")
            else:
                give = local.forgive if what == "forgive" else local.refund
                give(caller, route_class)
                await shared.give_back(caller, route_class, forgiving=what == "forgive")


async def outcome(tries: Any, how: str, who: tuple[str, str, str | None]) -> int:
    """The seconds to wait; 0 when the try was looked at."""
    address, account, device = who
    failure = {"wrong": Unauthenticated("no"), "ours": Unavailable("away"), "right": None}[how]
    try:
        async with tries.one(address, account, device=device):
            if failure is not None:
                raise failure
    except TooManyRequests as refused:
        return int(refused.headers["Retry-After"])
    except (Unauthenticated, Unavailable):
        pass
    return 0


class Awaited:
    """Tries in memory, entered as those in Redis are."""

    def __init__(self, tries: Tries) -> None:
        self._tries = tries

    @asynccontextmanager
    async def one(self, address: str, account: str, *, device: str | None = None) -> AsyncIterator[None]:
        with self._tries.one(address, account, device=device):
            yield


STRANGER = ("192.0.2.1", "ada", None)
BROWSER = ("192.0.2.2", "ada", "known")
attempts = st.tuples(
    micros,
    st.sampled_from(["wrong", "wrong", "wrong", "right", "ours"]),
    st.sampled_from([STRANGER, STRANGER, ("192.0.2.1", "eve", None), BROWSER]),
)
WINDOWS = {
    "per_client": (TryWindow(9, 60.0), TryWindow(14, 1200.0)),
    "per_account": (TryWindow(10, 60.0),),
}


@EXAMPLES
@given(steps=st.lists(attempts, max_size=40))
@example(steps=[(2_500_000, "wrong", STRANGER) for _ in range(40)])
@example(steps=[(20_000_000, "wrong", BROWSER) for _ in range(60)])
@example(steps=[(later, "wrong", BROWSER) for later in (*[40_000_000] * 7, 1_300_000_000, *[1] * 8)])
@example(steps=[(1_000_000, how, BROWSER) for how in ["wrong"] * 8 + ["right", "wrong"] * 8])
async def test_the_same_tries_at_the_same_times_wait_the_same(
    redis_url: str, clock: Any, steps: list[tuple[int, str, tuple[str, str, str | None]]]
) -> None:
    moment = Moment(clock)
    local = Awaited(Tries(**WINDOWS, clock=moment))
    async with member(redis_url) as replicas:
        shared = SharedTries(**WINDOWS, replicas=replicas)
        for later, how, who in steps:
            moment.move(later)
            assert await outcome(shared, how, who) == await outcome(local, how, who)


async def test_a_limit_of_n_admits_n_across_all(redis_url: str, clock: Any) -> None:
    caller = identity(Quota("user:a", 100), Quota("org:o", 37))
    async with member(redis_url) as one, member(redis_url) as other:
        limiters = [SharedBucketLimiter(each, BucketLimiter()) for each in (one, other)]
        found: list[Decision] = await asyncio.gather(
            *(limiters[number % 2].check(caller, RouteClass.REST) for number in range(200))
        )
        address = await asyncio.gather(
            *(limiters[number % 2].count_failure("192.0.2.7") for number in range(100))
        )
    assert sum(each.allowed for each in found) == 37
    assert sum(each.allowed for each in address) == 30


async def test_tries_and_calls_of_all_are_counted_together(redis_url: str, clock: Any) -> None:
    async with member(redis_url) as one, member(redis_url) as other:
        tries = [SharedTries(**WINDOWS, replicas=each) for each in (one, other)]
        waits = [await outcome(tries[number % 2], "wrong", ("192.0.2.9", "ada", None)) for number in range(6)]
        calls = [SharedCalls("sign_up", (TryWindow(5, 60.0),), each) for each in (one, other)]
        taken = [await calls[number % 2].take("192.0.2.9") for number in range(7)]
        elsewhere = await SharedCalls("refresh", (TryWindow(5, 60.0),), one).take("192.0.2.9")
    assert waits == [0, 0, 0, 0, 0, 1]
    assert taken == [0, 0, 0, 0, 0, 60, 60]
    assert elsewhere == 0


async def test_clocks_of_processes_do_not_matter(redis_url: str, clock: Any) -> None:
    caller = identity(Quota("user:a", 2))
    async with member(redis_url) as one, member(redis_url) as other:
        early = SharedBucketLimiter(one, BucketLimiter(clock=lambda: -1e6))
        late = SharedBucketLimiter(other, BucketLimiter(clock=lambda: 1e9))
        found = [await each.check(caller, RouteClass.REST) for each in (early, late, early, late)]
    assert [each.allowed for each in found] == [True, True, False, False]


async def test_a_clock_of_redis_that_goes_back_gives_and_takes_nothing(redis_url: str, clock: Any) -> None:
    moment, caller = Moment(clock), identity(Quota("user:a", 2))
    async with member(redis_url) as replicas:
        limiter = SharedBucketLimiter(replicas, BucketLimiter())
        await limiter.check(caller, RouteClass.REST)
        moment.move(-3_600_000_000)
        back = [(await limiter.check(caller, RouteClass.REST)).allowed for _ in range(2)]
        moment.move(30_000_000)
        refilled = (await limiter.check(caller, RouteClass.REST)).allowed
    assert back == [True, False]
    assert refilled


async def test_no_key_lives_for_ever_and_none_names_an_address_or_an_account(
    redis_url: str, redis_server: RedisServer
) -> None:
    caller = identity(*QUOTAS)
    async with member(redis_url) as replicas:
        await replicas.beat()
        limiter = SharedBucketLimiter(replicas, BucketLimiter())
        tries = SharedTries(**WINDOWS, replicas=replicas)
        for route_class in RouteClass:
            await limiter.check(caller, route_class)
            await limiter.give_back(caller, route_class, forgiving=True)
            await limiter.give_back(caller, route_class)
        await limiter.count_failure("192.0.2.1")
        for how in ("wrong", "ours", "right", "wrong"):
            await outcome(tries, how, ("192.0.2.1", "ada@example.com", None))
            await outcome(tries, how, ("192.0.2.1", "ada@example.com", "browser"))
        await SharedCalls("sign_up", (TryWindow(5, 3600.0),), replicas).take("192.0.2.1")
        with redis_server.client() as client:
            lives_s = {key: client.ttl(key) for key in client.keys("*")}
    assert len(lives_s) > 10
    assert all(key.startswith("atrium:") and 0 < left <= 3600 for key, left in lives_s.items()), lives_s
    assert not [key for key in lives_s if "192.0.2" in key or "ada" in key]


async def test_a_request_asks_redis_once_for_all_its_quotas(
    redis_url: str, redis_server: RedisServer
) -> None:
    async with member(redis_url) as replicas:
        limiter = SharedBucketLimiter(replicas, BucketLimiter())
        await limiter.check(identity(*QUOTAS), RouteClass.REST)
        with redis_server.client() as client:
            client.config_resetstat()
            for _ in range(10):
                await limiter.check(identity(*QUOTAS), RouteClass.REST)
            asked = client.info("commandstats")
    assert asked["cmdstat_evalsha"]["calls"] == 10
    assert not {"cmdstat_eval", "cmdstat_script|load"} & set(asked)


async def test_processes_know_of_each_other_and_forget_who_is_silent(redis_url: str, clock: Any) -> None:
    moment = Moment(clock)
    async with member(redis_url) as one, member(redis_url) as other:
        for each in (one, other, one):
            await each.beat()
        together = one.count, other.count
        moment.move(11_000_000)
        await one.beat()
        assert (together, one.count) == ((2, 2), 1)
        await other.beat()
    async with member(redis_url) as last:
        await last.beat()
        assert last.count == 1  # the others have said that they leave
