"""Wrong passwords: slower and slower for who guesses, nothing for who knows."""

import asyncio
from ipaddress import ip_network

import pytest
from gateway_service.limits.tries import WAIT_MAX_S, Tries, TryWindow
from gateways.running import PASSWORD, Gateway, Person, StartGateway
from shared.errors import TooManyRequests, Unauthenticated, Unavailable

SIGN_IN = "/api/v1/auth/signin"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def tries(clock: Clock, per_client: int = 100, per_account: int = 100) -> Tries:
    return Tries(
        per_client=(TryWindow(per_client, 60),), per_account=(TryWindow(per_account, 60),), clock=clock
    )


def wrong(
    limits: Tries,
    address: str = "192.0.2.1",
    account: str = "ada",
    device: str | None = None,
    processes: int = 1,
) -> int:
    """A wrong try; the seconds to wait when it was not even looked at."""
    try:
        with limits.one(address, account, device=device, processes=processes):
            raise Unauthenticated("the address or the password is wrong")
    except Unauthenticated:
        return 0
    except TooManyRequests as refused:
        return int(refused.headers["Retry-After"])


def test_each_wrong_try_after_the_first_five_takes_twice_as_long() -> None:
    clock = Clock()
    limits = tries(clock)
    assert [wrong(limits) for _ in range(5)] == [0] * 5
    waits: list[int] = []
    for _ in range(11):
        waits.append(wrong(limits))
        clock.now += waits[-1]
        assert wrong(limits) == 0
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == WAIT_MAX_S


@pytest.mark.parametrize(
    "failure", [Unavailable("too many passwords at once"), ConnectionError("the database is away")]
)
def test_a_try_that_we_could_not_look_at_does_not_count(failure: Exception) -> None:
    limits = tries(Clock())
    for _ in range(20):
        with pytest.raises(type(failure)), limits.one("192.0.2.1", "ada"):
            raise failure


def test_a_try_that_was_given_up_counts() -> None:
    limits = tries(Clock())
    for _ in range(5):
        with pytest.raises(asyncio.CancelledError), limits.one("192.0.2.1", "ada"):
            raise asyncio.CancelledError
    assert wrong(limits) == 1


@pytest.mark.parametrize("processes", [2, 4, 16])
def test_processes_that_count_apart_let_in_time_no_more_guesses_through_than_one(processes: int) -> None:
    def guesses(among: int) -> int:
        """Of one who asks each process whenever it may, in four hours after the first four."""
        clock = Clock()
        each = [tries(clock, per_account=10_000, per_client=10_000) for _ in range(among)]
        looked_at = list[float]()
        for _ in range(8 * 360):
            for limits in each:
                while wrong(limits, processes=among) == 0:
                    looked_at.append(clock.now)
            clock.now += 10
        return sum(moment >= 1000 + 4 * 3600 for moment in looked_at)

    assert guesses(processes) <= guesses(1) + processes


def test_the_free_tries_are_shared_and_the_waits_longer_where_processes_count_apart() -> None:
    clock = Clock()
    limits = tries(clock)
    assert [wrong(limits, processes=2) for _ in range(3)] == [0, 0, 2]
    clock.now += 2
    assert [wrong(limits, processes=2) for _ in range(2)] == [0, 4]


def test_guesses_from_elsewhere_do_not_count_against_the_owner() -> None:
    limits = tries(Clock())
    for number in range(40):
        wrong(limits, address=f"198.51.100.{number % 4}")
    with limits.one("192.0.2.1", "ada"):
        pass


def test_a_known_browser_is_not_held_back_by_its_neighbours() -> None:
    limits = tries(Clock(), per_client=3)
    for number in range(10):
        wrong(limits, account=f"somebody{number}")
    assert wrong(limits) > 0
    with limits.one("192.0.2.1", "ada", device="known"):
        pass


def test_right_passwords_cost_nothing_and_do_not_wipe_out_wrong_ones() -> None:
    limits = tries(Clock(), per_client=3)
    for _ in range(10):
        with limits.one("192.0.2.1", "mallory"):
            pass
    assert [wrong(limits, account=f"victim{number}") for number in range(3)] == [0, 0, 0]
    with pytest.raises(TooManyRequests), limits.one("192.0.2.1", "mallory"):
        pass


def test_guesses_at_the_same_time_are_all_counted() -> None:
    limits = tries(Clock(), per_account=3)
    under_way = [limits.one("192.0.2.1", "ada") for _ in range(3)]
    for each in under_way:
        each.__enter__()
    assert wrong(limits) > 0


async def test_wrong_passwords_of_a_stranger_do_not_lock_an_account(start_gateway: StartGateway) -> None:
    fields = {
        "signin_limit": "20/minute",
        "signin_account_limit": "10/minute",
        "trusted_proxies": (ip_network("127.0.0.1"),),
    }
    async with start_gateway(**fields) as gateway:
        await gateway.sign_up("ada")
        async with gateway.client(headers={"x-forwarded-for": "203.0.113.6"}) as stranger:
            guesses = [
                await stranger.post(SIGN_IN, json={"email": "ada@example.com", "password": f"guess-{n}"})
                for n in range(12)
            ]
            assert guesses[-1].status_code == 429
            own = await stranger.post(SIGN_IN, json={"email": "ada@example.com", "password": PASSWORD})
            assert own.status_code == 429, "the guesser may not go on when a guess is right"
        async with gateway.client(headers={"x-forwarded-for": "198.51.100.2"}) as owner:
            assert (
                await owner.post(SIGN_IN, json={"email": "ada@example.com", "password": PASSWORD})
            ).status_code == 200


async def test_a_browser_that_signed_in_before_gets_in_beside_a_guesser(start_gateway: StartGateway) -> None:
    async with start_gateway(signin_limit="5/minute", signin_account_limit="5/minute") as gateway:
        person = await gateway.sign_up("ada")
        async with gateway.client() as neighbour:
            for number in range(8):
                await neighbour.post(
                    SIGN_IN, json={"email": "ada@example.com", "password": f"guess-{number}"}
                )
            assert (
                await neighbour.post(SIGN_IN, json={"email": "ada@example.com", "password": PASSWORD})
            ).status_code == 429
        await person.http.post("/api/v1/auth/signout")
        again = await person.http.post(SIGN_IN, json={"email": "ada@example.com", "password": PASSWORD})
        other = await person.http.post(SIGN_IN, json={"email": "grace@example.com", "password": PASSWORD})
    assert again.status_code == 200
    assert other.status_code == 429


async def test_the_refusal_tells_an_employee_what_they_can_do(gateway: Gateway, member: Person) -> None:
    refused = await member.http.post(SIGN_IN, json={"email": member.email, "password": "wrong"})
    assert "make " not in refused.json()["detail"]
