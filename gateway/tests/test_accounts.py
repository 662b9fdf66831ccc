"""Sign-up, sign-in and passwords."""

import asyncio
import statistics
import time

import pytest
from gateways.running import PASSWORD, Gateway, Person, StartGateway

DEFAULT_TEAM = "a0000000-0000-4000-8000-000000000001"
DEFAULT_ORGANISATION = "a0000000-0000-4000-8000-000000000000"


def form(name: str = "ada", **changes: str) -> dict[str, str]:
    return {"name": name, "email": f"{name}@example.com", "password": PASSWORD, **changes}


async def test_the_first_person_becomes_administrator_and_the_second_a_user(gateway: Gateway) -> None:
    async with gateway.client() as http:
        config = (await http.get("/api/v1/auth/config")).json()
        assert config == {
            "name": "Atrium",
            "signup_open": True,
            "setup_required": True,
            "setup_token_required": False,
        }
        first = (await http.post("/api/v1/auth/signup", json=form("ada"))).json()
        second = (await http.post("/api/v1/auth/signup", json=form("grace"))).json()
        config = (await http.get("/api/v1/auth/config")).json()
    assert first["user"]["role"] == "admin"
    assert second["user"]["role"] == "user"
    assert first["token_type"] == "Bearer"
    assert first["expires_in"] == 300
    assert second["user"]["teams"] == [DEFAULT_TEAM]
    assert second["user"]["organisation_id"] == DEFAULT_ORGANISATION
    assert config["setup_required"] is False


@pytest.mark.parametrize(
    ("fields", "role"),
    [
        ({}, "user"),
        ({"paid_providers": True}, "pending"),
        ({"paid_providers": True, "signup_default_role": "user"}, "user"),
        ({"host": "0.0.0.0", "setup_token": "once"}, "pending"),
        ({"signup_default_role": "pending"}, "pending"),
    ],
)
async def test_later_people_wait_for_admission_where_money_or_strangers_are(
    start_gateway: StartGateway, fields: dict[str, object], role: str
) -> None:
    async with start_gateway(**fields) as gateway, gateway.client() as http:
        first = await http.post("/api/v1/auth/signup", json=form("ada", setup_token="once"))
        second = await http.post("/api/v1/auth/signup", json=form("grace"))
    assert (first.json()["user"]["role"], second.json()["user"]["role"]) == ("admin", role)


async def test_of_many_first_sign_ups_at_once_exactly_one_is_administrator(gateway: Gateway) -> None:
    people = await asyncio.gather(*(gateway.sign_up(f"racer{n}") for n in range(12)))
    roles = [person.user["role"] for person in people]
    assert roles.count("admin") == 1
    assert roles.count("user") == 11


async def test_one_address_has_one_account_whatever_its_case(gateway: Gateway, admin: Person) -> None:
    async with gateway.client() as http:
        again = await http.post("/api/v1/auth/signup", json=form("ada", email="ADA@Example.com"))
        signed_in = await http.post(
            "/api/v1/auth/signin", json={"email": "Ada@Example.COM", "password": PASSWORD}
        )
    assert again.status_code == 409
    assert again.json()["code"] == "email_taken"
    assert signed_in.status_code == 200


async def test_company_internal_addresses_are_welcome_and_nonsense_is_not(gateway: Gateway) -> None:
    async with gateway.client() as http:
        internal = await http.post("/api/v1/auth/signup", json=form(email="ada@corp.local"))
        nonsense = await http.post("/api/v1/auth/signup", json=form(email="not an address"))
        short = await http.post("/api/v1/auth/signup", json=form("grace", password="1234567"))
    assert internal.status_code == 201
    assert nonsense.status_code == 422
    assert short.status_code == 422
    assert "1234567" not in short.text


async def test_closed_sign_up_still_lets_the_first_person_in(start_gateway: StartGateway) -> None:
    async with start_gateway(enable_signup=False) as gateway, gateway.client() as http:
        first = await http.post("/api/v1/auth/signup", json=form("ada"))
        second = await http.post("/api/v1/auth/signup", json=form("grace"))
        config = (await http.get("/api/v1/auth/config")).json()
    assert first.status_code == 201
    assert (second.status_code, second.json()["code"]) == (403, "signup_closed")
    assert config["signup_open"] is False


async def test_newcomers_can_be_made_to_wait_for_approval(start_gateway: StartGateway) -> None:
    async with start_gateway(signup_default_role="pending") as gateway:
        await gateway.sign_up("ada")
        pending = await gateway.sign_up("grace")
        me = await pending.get("/api/v1/auth/me")
        keys = await pending.post("/api/v1/auth/api-keys", {"name": "mine"})
    assert me.json()["role"] == "pending"
    assert keys.status_code == 403


@pytest.mark.parametrize(
    "binding", [{"host": "0.0.0.0", "public_url": "http://127.0.0.1:8000"}, {"setup_token_required": True}]
)
async def test_the_first_account_of_a_reachable_gateway_needs_the_setup_token(
    start_gateway: StartGateway, binding: dict[str, object]
) -> None:
    async with start_gateway(setup_token="one-time", **binding) as gateway, gateway.client() as http:
        config = (await http.get("/api/v1/auth/config")).json()
        without = await http.post("/api/v1/auth/signup", json=form())
        wrong = await http.post("/api/v1/auth/signup", json=form(setup_token="guess"))
        right = await http.post("/api/v1/auth/signup", json=form(setup_token="one-time"))
        later = await http.post("/api/v1/auth/signup", json=form("grace"))
    assert config["setup_token_required"] is True
    assert (without.status_code, without.json()["code"]) == (403, "setup_token_required")
    assert wrong.status_code == 403
    assert right.json()["user"]["role"] == "admin"
    assert later.json()["user"]["role"] != "admin"


async def test_a_missing_setup_token_setting_opens_nothing(start_gateway: StartGateway) -> None:
    async with start_gateway(setup_token_required=True) as gateway, gateway.client() as http:
        answer = await http.post("/api/v1/auth/signup", json=form(setup_token=""))
    assert answer.status_code == 403


async def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(
    gateway: Gateway, admin: Person
) -> None:
    async with gateway.client() as http:
        wrong = await http.post(
            "/api/v1/auth/signin", json={"email": admin.email, "password": "wrong password"}
        )
        unknown = await http.post(
            "/api/v1/auth/signin", json={"email": "nobody@example.com", "password": "wrong password"}
        )
    assert wrong.status_code == unknown.status_code == 401
    differing = {name for name in wrong.json() if wrong.json()[name] != unknown.json()[name]}
    assert differing <= {"request_id"}
    assert "set-cookie" not in wrong.headers


async def test_an_unknown_address_takes_as_long_as_a_wrong_password(start_gateway: StartGateway) -> None:
    async with start_gateway(password_hash_memory_kib=32_768, password_hash_time_cost=2) as gateway:
        await gateway.sign_up("ada")

        async def took_s(http: object, email: str) -> float:
            started = time.perf_counter()
            await http.post("/api/v1/auth/signin", json={"email": email, "password": "wrong password"})  # type: ignore[attr-defined]
            return time.perf_counter() - started

        async with gateway.client() as http:
            known, unknown = [], []
            for _ in range(7):
                known.append(await took_s(http, "ada@example.com"))
                unknown.append(await took_s(http, "nobody@example.com"))
    # Without the hash of nobody the unknown address would answer in a tenth of the time.
    assert statistics.median(unknown) > 0.5 * statistics.median(known)


async def test_the_password_is_stored_as_argon2id(gateway: Gateway, admin: Person) -> None:
    (row,) = await gateway.fetch("SELECT hash FROM password")
    assert row["hash"].startswith("$argon2id$")


async def test_a_hash_made_with_lower_costs_is_renewed_at_sign_in(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        await gateway.sign_up("ada")
        async with (
            start_gateway(gateway.database, password_hash_memory_kib=16) as costlier,
            costlier.client() as http,
        ):
            signed_in = await http.post(
                "/api/v1/auth/signin", json={"email": "ada@example.com", "password": PASSWORD}
            )
        (row,) = await gateway.fetch("SELECT hash FROM password")
    assert signed_in.status_code == 200
    assert "m=16," in row["hash"]


async def test_changing_the_password_ends_other_sessions_and_keeps_this_one(
    gateway: Gateway, admin: Person
) -> None:
    async with gateway.client() as elsewhere:
        other = (
            await elsewhere.post("/api/v1/auth/signin", json={"email": admin.email, "password": PASSWORD})
        ).json()
        wrong = await admin.post(
            "/api/v1/auth/password", {"current_password": "guess", "new_password": "another password"}
        )
        changed = await admin.post(
            "/api/v1/auth/password", {"current_password": PASSWORD, "new_password": "another password"}
        )
        other_me = await elsewhere.get(
            "/api/v1/auth/me", headers={"authorization": f"Bearer {other['access_token']}"}
        )
        other_refresh = await elsewhere.post("/api/v1/auth/refresh")
        old = await elsewhere.post("/api/v1/auth/signin", json={"email": admin.email, "password": PASSWORD})
        new = await elsewhere.post(
            "/api/v1/auth/signin", json={"email": admin.email, "password": "another password"}
        )
    assert wrong.status_code == 401
    assert changed.status_code == 204
    assert other_me.status_code == other_refresh.status_code == 401
    assert (await admin.get("/api/v1/auth/me")).status_code == 200
    assert old.status_code == 401
    assert new.status_code == 200


async def test_an_api_key_cannot_change_the_password(admin: Person) -> None:
    key = (await admin.post("/api/v1/auth/api-keys", {"name": "robot"})).json()["key"]
    change = {"current_password": PASSWORD, "new_password": "another password"}
    answer = await admin.http.post("/api/v1/auth/password", json=change, headers={"x-api-key": key})
    assert answer.status_code == 403


async def test_me_tells_who_and_what(admin: Person, member: Person) -> None:
    me = (await member.get("/api/v1/auth/me")).json()
    assert me["email"] == "grace@example.com"
    assert me["session_id"]
    assert "keys:manage" in me["permissions"]
    assert "users:write" not in me["permissions"]
    assert "users:write" in (await admin.get("/api/v1/auth/me")).json()["permissions"]
