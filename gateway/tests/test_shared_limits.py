"""Limits of several gateway processes: the counts in Redis give the answers of the counts in memory."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from gateway_service.identity.ports import Identity, Quota
from gateway_service.limits import replicas as replicas_module
from gateway_service.limits import shared_bucket, shared_tries
from gateway_service.limits.bucket import BucketLimiter
from gateway_service.limits.ports import Decision, RouteClass
from gateway_service.limits.replicas import Replicas
from gateway_service.limits.scripts import TRY_ENDS
from gateway_service.limits.shared_bucket import SharedBucketLimiter
from gateway_service.limits.shared_tries import SharedCalls, SharedTries
from gateway_service.limits.tries import Tries, TryWindow
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from identities import make_principal
from redis_world import AwayRedis, LateRedis, RedisServer, by_test_clock, set_clock
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
            await replicas.tasks.drain(PATIENT_S)


@pytest.mark.parametrize("late", ["TRY", "TRY_ENDS"])
async def test_right_passwords_that_redis_answers_too_late_cost_nothing(
    redis_url: str, redis_server: RedisServer, clock: Any, late: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_tries, "_AGAIN_S", 0.01)
    async with member(redis_url) as replicas:
        replicas.redis = cast("RedisClient", LateRedis(replicas.redis, getattr(shared_tries, late), 30))
        tries = SharedTries(**WINDOWS, replicas=replicas)
        waits = [await outcome(tries, "right", BROWSER) for _ in range(30)]
        await replicas.tasks.drain(PATIENT_S)
        assert redis_server_keys(redis_server) == []
    assert waits == [0] * 30


async def test_the_end_of_a_try_that_comes_twice_takes_back_one(
    redis_url: str, redis_server: RedisServer, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_tries, "_AGAIN_S", 0.01)
    async with member(redis_url) as replicas:
        tries = SharedTries(**WINDOWS, replicas=replicas)
        for _ in range(4):
            await outcome(tries, "wrong", BROWSER)
        redis = replicas.redis
        replicas.redis = cast("RedisClient", LateRedis(redis, TRY_ENDS, 2))
        await outcome(tries, "ours", BROWSER)
        await replicas.tasks.drain(PATIENT_S)
        replicas.redis = redis
        assert [await outcome(tries, "wrong", BROWSER) for _ in range(2)] == [0, 1]


async def test_a_right_password_whose_request_is_given_up_is_no_wrong_one(
    redis_url: str, redis_server: RedisServer, clock: Any
) -> None:
    async with member(redis_url) as replicas:
        begun = asyncio.Event()

        async def sign_in() -> None:
            async with SharedTries(**WINDOWS, replicas=replicas).one(*STRANGER[:2]):
                begun.set()

        signing_in = asyncio.ensure_future(sign_in())
        await begun.wait()
        signing_in.cancel()
        await asyncio.wait({signing_in})
        await replicas.tasks.drain(PATIENT_S)
        assert redis_server_keys(redis_server) == []


async def test_a_failure_of_ours_leaves_nothing_in_redis(
    redis_url: str, redis_server: RedisServer, clock: Any
) -> None:
    async with member(redis_url) as replicas:
        await outcome(SharedTries(**WINDOWS, replicas=replicas), "ours", STRANGER)
        await replicas.tasks.drain(PATIENT_S)
        assert redis_server_keys(redis_server) == []


def redis_server_keys(server: RedisServer) -> list[str]:
    """What the gateways have left there."""
    with server.client() as client:
        return client.keys("atrium:*")


async def test_tries_wait_no_longer_than_their_window_when_the_clock_of_redis_goes_back(
    redis_url: str, clock: Any
) -> None:
    moment = Moment(clock)
    windows = {"per_client": (TryWindow(3, 60.0),), "per_account": (TryWindow(3, 60.0),)}
    async with member(redis_url) as replicas:
        tries, calls = (
            SharedTries(**windows, replicas=replicas),
            SharedCalls("x", (TryWindow(2, 60.0),), replicas),
        )
        grown = SharedTries(**WINDOWS, replicas=replicas)
        for _ in range(3):
            await outcome(tries, "wrong", STRANGER)
            await calls.take("192.0.2.1")
        for _ in range(8):
            await outcome(grown, "wrong", BROWSER)
            moment.move(5_000_000)
        moment.move(-3_600_000_000)
        waits = [await outcome(tries, "wrong", STRANGER), await calls.take("192.0.2.1")]
        waits += [await outcome(grown, "wrong", BROWSER) for _ in range(2)]
        assert waits[0] == waits[1] == waits[2] == 0
        assert 0 < waits[3] <= 60


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
        for _ in range(10):
            await one.beat()
        assert (together, one.count) == ((2, 2), 1)
        await other.beat()
    async with member(redis_url) as last:
        await last.beat()
        assert last.count == 1  # the others have said that they leave


async def test_how_many_they_are_falls_only_when_all_had_the_time_to_say_so(
    redis_url: str, redis_server: RedisServer
) -> None:
    async with member(redis_url) as one, member(redis_url) as other:
        for each in (one, other, one):
            await each.beat()
        with redis_server.client() as client:
            client.flushall()  # it comes back empty
        one.redis, redis = cast("RedisClient", AwayRedis()), one.redis
        await one.beat()
        one.redis = redis
        seen = list[int]()
        for _ in range(12):
            await one.beat()
            seen.append(one.count)
        await other.beat()
        await one.beat()
        assert seen == [2] * 10 + [1] * 2
        assert one.count == 2  # it rises at once


async def test_who_was_there_after_the_clock_of_redis_goes_back_is_gone_in_time(
    redis_url: str, clock: Any
) -> None:
    moment = Moment(clock)
    async with member(redis_url) as one, member(redis_url) as dead:
        for each in (one, dead, one):
            await each.beat()
        moment.move(-3_600_000_000)
        seen = list[int]()
        for _ in range(15):
            await one.beat()
            seen.append(one.count)
            moment.move(1_000_000)
        assert (seen[0], seen[-1]) == (2, 1)
