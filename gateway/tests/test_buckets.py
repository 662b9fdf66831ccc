"""Quotas: taken all or none, refilled by time, bounded in memory."""

import pytest
from gateway_service.identity.ports import Identity, Quota
from gateway_service.limits.bucket import BucketLimiter
from gateway_service.limits.ports import RouteClass
from hypothesis import given
from hypothesis import strategies as st
from identities import make_principal
from shared.limits import TokenBuckets


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def identity(*quotas: Quota) -> Identity:
    return Identity(principal=make_principal(), hop_authorization=b"Bearer x", quotas=quotas)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_quota_is_spent_then_refused_with_the_time_to_wait(clock: Clock) -> None:
    limiter = BucketLimiter(clock=clock)
    caller = identity(Quota("user:a", 3))
    assert [limiter.check(caller, RouteClass.REST).allowed for _ in range(4)] == [True, True, True, False]
    refused = limiter.check(caller, RouteClass.REST)
    assert refused.retry_after_s == 20
    assert dict(refused.headers) == {
        b"x-ratelimit-limit": b"3",
        b"x-ratelimit-remaining": b"0",
        b"x-ratelimit-reset": b"60",
    }
    clock.now += 20
    assert limiter.check(caller, RouteClass.REST).allowed


def test_a_refused_request_takes_from_no_quota(clock: Clock) -> None:
    limiter = BucketLimiter(clock=clock)
    both = identity(Quota("user:a", 1), Quota("org:o", 10))
    assert limiter.check(both, RouteClass.REST).allowed
    for _ in range(5):
        assert not limiter.check(both, RouteClass.REST).allowed
    assert (
        dict(limiter.check(identity(Quota("org:o", 10)), RouteClass.REST).headers)[b"x-ratelimit-remaining"]
        == b"8"
    )


def test_the_headers_speak_of_the_tightest_quota(clock: Clock) -> None:
    decision = BucketLimiter(clock=clock).check(
        identity(Quota("user:a", 100), Quota("key:k", 5)), RouteClass.REST
    )
    assert dict(decision.headers)[b"x-ratelimit-limit"] == b"5"


def test_a_refund_gives_back_and_never_more_than_the_quota(clock: Clock) -> None:
    limiter = BucketLimiter(clock=clock)
    caller = identity(Quota("user:a", 1))
    limiter.check(caller, RouteClass.MODELS)
    limiter.refund(caller, RouteClass.MODELS)
    limiter.refund(caller, RouteClass.MODELS)
    assert limiter.check(caller, RouteClass.MODELS).allowed
    assert not limiter.check(caller, RouteClass.MODELS).allowed


def test_route_classes_do_not_share_a_quota(clock: Clock) -> None:
    limiter = BucketLimiter(clock=clock)
    caller = identity(Quota("user:a", 1))
    assert limiter.check(caller, RouteClass.MODELS).allowed
    assert limiter.check(caller, RouteClass.REST).allowed


def test_failed_credentials_are_counted_by_address(clock: Clock) -> None:
    limiter = BucketLimiter(failures_per_minute=2, clock=clock)
    assert [limiter.count_failure("192.0.2.1").allowed for _ in range(3)] == [True, True, False]
    assert limiter.count_failure("192.0.2.2").allowed
    clock.now += 30
    assert limiter.count_failure("192.0.2.1").allowed


def test_an_identity_without_quotas_is_not_limited(clock: Clock) -> None:
    assert BucketLimiter(clock=clock).check(identity(), RouteClass.REST).allowed


def test_memory_is_bounded_and_unused_buckets_go_first(clock: Clock) -> None:
    buckets = TokenBuckets(entries_max=100, clock=clock)
    buckets.level("spent", 5).tokens = 0.0
    for number in range(1000):
        clock.now += 0.01
        buckets.level(f"k{number}", 5)
        buckets.level("spent", 5)
    assert len(buckets) <= 100
    assert buckets.level("spent", 5).tokens < 5


@given(steps=st.lists(st.floats(0, 30), max_size=60), per_minute=st.integers(1, 100))
def test_never_more_than_burst_plus_refill(steps: list[float], per_minute: int) -> None:
    clock = Clock()
    limiter = BucketLimiter(clock=clock)
    caller = identity(Quota("user:a", per_minute))
    allowed = 0
    for step in steps:
        clock.now += step
        allowed += limiter.check(caller, RouteClass.REST).allowed
    assert allowed <= per_minute + sum(steps) * per_minute / 60 + 1e-6
