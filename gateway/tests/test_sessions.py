"""Access tokens, refresh tokens and the list of sessions."""

import asyncio
import base64
import json

import jwt
import pytest
from gateways.running import KEYS, PASSWORD, Gateway, Person, StartGateway
from shared.auth.tokens import TokenVerifier

REFRESH = "/api/v1/auth/refresh"
COOKIE = "atrium_refresh"


def cookie_of(person: Person) -> str:
    return str(person.http.cookies[COOKIE])


async def refresh_with(gateway: Gateway, token: str, **headers: str):
    async with gateway.client() as http:
        return await http.post(REFRESH, headers={"cookie": f"{COOKIE}={token}", **headers})


async def test_every_service_can_verify_the_access_token_by_itself(member: Person) -> None:
    for service in ("inference-service", "chat-service", "billing-service"):
        principal = TokenVerifier(jwks=KEYS.jwks, audience=service).verify(member.token)
        assert str(principal.user_id) == member.user["id"]
        assert principal.via_gateway is False
    header = jwt.get_unverified_header(member.token)
    assert (header["alg"], header["kid"]) == ("EdDSA", "user-1")


async def test_the_refresh_cookie_is_out_of_reach_of_scripts_and_sites(
    gateway: Gateway, admin: Person
) -> None:
    async with gateway.client() as http:
        answer = await http.post("/api/v1/auth/signin", json={"email": admin.email, "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert "Path=/api/v1/auth" in cookie
    assert "Secure" not in cookie
    assert answer.headers["cache-control"] == "no-store"


async def test_the_cookie_is_secure_when_the_public_address_is_https(start_gateway: StartGateway) -> None:
    async with start_gateway(public_url="https://atrium.example.com") as gateway, gateway.client() as http:
        form = {"name": "ada", "email": "ada@example.com", "password": PASSWORD}
        answer = await http.post("/api/v1/auth/signup", json=form)
    assert "Secure" in answer.headers["set-cookie"]


async def test_a_refresh_gives_a_new_access_token_and_rotates_the_cookie(member: Person) -> None:
    before = cookie_of(member)
    answer = await member.http.post(REFRESH)
    assert answer.status_code == 200
    assert answer.json()["user"]["email"] == member.email
    assert cookie_of(member) != before
    again = await member.http.post(REFRESH)
    assert again.status_code == 200


async def test_two_tabs_refreshing_at_once_end_up_with_the_same_cookie(
    gateway: Gateway, member: Person
) -> None:
    token = cookie_of(member)
    answers = await asyncio.gather(*(refresh_with(gateway, token) for _ in range(6)))
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({answer.cookies[COOKIE] for answer in answers}) == 1


async def test_an_old_refresh_token_after_the_grace_period_ends_the_session(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway(refresh_grace_s=0) as gateway:
        person = await gateway.sign_up("ada")
        stolen = cookie_of(person)
        rotated = await refresh_with(gateway, stolen)
        again = await refresh_with(gateway, rotated.cookies[COOKIE])
        replay = await refresh_with(gateway, stolen)
        honest = await refresh_with(gateway, again.cookies[COOKIE])
        me = await person.get("/api/v1/auth/me")
        (row,) = await gateway.fetch("SELECT revoked_reason FROM session")
    assert (rotated.status_code, again.status_code) == (200, 200)
    assert (replay.status_code, replay.json()["code"]) == (401, "refresh_token_reused")
    assert honest.status_code == 401
    assert me.status_code == 401
    assert row["revoked_reason"] == "refresh_token_reused"


async def test_a_refresh_whose_answer_was_lost_can_be_tried_again_later(start_gateway: StartGateway) -> None:
    async with start_gateway(refresh_grace_s=0) as gateway:
        person = await gateway.sign_up("ada")
        kept = cookie_of(person)
        assert (await refresh_with(gateway, kept)).status_code == 200
        second = await refresh_with(gateway, kept)
        third = await refresh_with(gateway, kept)
        assert (second.status_code, third.status_code) == (200, 200)
        assert (await refresh_with(gateway, third.cookies[COOKIE])).status_code == 200
        assert (await person.get("/api/v1/auth/me")).status_code == 200


async def test_of_two_holders_of_one_chain_both_are_out(start_gateway: StartGateway) -> None:
    async with start_gateway(refresh_grace_s=0) as gateway:
        person = await gateway.sign_up("ada")
        stolen = cookie_of(person)
        honest = await refresh_with(gateway, stolen)
        thief = await refresh_with(gateway, stolen)
        assert thief.status_code == 200
        back = await refresh_with(gateway, honest.cookies[COOKIE])
        assert (back.status_code, back.json()["code"]) == (401, "refresh_token_reused")
        assert (await refresh_with(gateway, thief.cookies[COOKIE])).status_code == 401


async def test_a_lost_answer_is_not_made_good_for_ever(start_gateway: StartGateway) -> None:
    async with start_gateway(refresh_grace_s=0, refresh_retry_s=60) as gateway:
        person = await gateway.sign_up("ada")
        kept = cookie_of(person)
        await refresh_with(gateway, kept)
        await gateway.fetch("UPDATE session SET last_used_at = now() - interval '61 seconds'")
        assert (await refresh_with(gateway, kept)).json()["code"] == "refresh_token_reused"


async def test_the_database_holds_no_refresh_token(gateway: Gateway, member: Person) -> None:
    await member.http.post(REFRESH)
    rows = await gateway.fetch("SELECT * FROM refresh_token")
    stored = json.dumps([[str(value) for value in row] for row in rows])
    raw = base64.urlsafe_b64decode(cookie_of(member))
    assert cookie_of(member) not in stored
    assert raw.hex() not in stored


@pytest.mark.parametrize("token", ["", "x", "a" * 5000, "é", "../../x"])
async def test_a_made_up_refresh_token_is_refused(gateway: Gateway, admin: Person, token: str) -> None:
    async with gateway.client() as http:
        answer = await http.post(REFRESH, headers=[(b"cookie", f"{COOKIE}={token}".encode())])
    assert (answer.status_code, answer.json()["code"]) == (401, "no_session")


async def test_an_expired_session_cannot_be_refreshed(gateway: Gateway, member: Person) -> None:
    await gateway.fetch("UPDATE session SET expires_at = now() - interval '1 second'")
    assert (await member.http.post(REFRESH)).status_code == 401
    assert (await member.get("/api/v1/auth/me")).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "null"},
    ],
)
async def test_other_sites_cannot_use_the_cookie(member: Person, headers: dict[str, str]) -> None:
    for path in (REFRESH, "/api/v1/auth/signout"):
        answer = await member.http.post(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_request")
    own = await member.http.post(
        REFRESH, headers={"origin": str(member.http.base_url).rstrip("/"), "sec-fetch-site": "same-origin"}
    )
    assert own.status_code == 200


async def test_signing_out_stops_the_token_at_the_gateway_at_once(member: Person) -> None:
    assert (await member.get("/api/v1/auth/me")).status_code == 200
    signed_out = await member.http.post("/api/v1/auth/signout")
    assert signed_out.status_code == 204
    assert COOKIE not in member.http.cookies
    assert (await member.get("/api/v1/auth/me")).status_code == 401
    assert (await member.http.post(REFRESH)).status_code == 401
    assert (await member.http.post("/api/v1/auth/signout")).status_code == 204


async def test_a_person_sees_and_ends_their_own_sessions_only(
    gateway: Gateway, admin: Person, member: Person
) -> None:
    async with gateway.client(headers={"user-agent": "second device"}) as http:
        second = (
            await http.post("/api/v1/auth/signin", json={"email": member.email, "password": PASSWORD})
        ).json()
        sessions = (await member.get("/api/v1/auth/sessions")).json()["data"]
        other = next(session for session in sessions if not session["current"])
        foreign = await admin.delete(f"/api/v1/auth/sessions/{other['id']}")
        ended = await member.delete(f"/api/v1/auth/sessions/{other['id']}")
        stopped = await http.get(
            "/api/v1/auth/me", headers={"authorization": f"Bearer {second['access_token']}"}
        )
    assert len(sessions) == 2
    assert other["user_agent"] == "second device"
    assert foreign.status_code == 404
    assert ended.status_code == 204
    assert stopped.status_code == 401
    assert len((await member.get("/api/v1/auth/sessions")).json()["data"]) == 1


async def test_the_published_key_verifies_tokens_and_holds_no_secret(
    gateway: Gateway, member: Person
) -> None:
    async with gateway.client() as http:
        keys = (await http.get("/api/v1/auth/jwks")).json()["keys"]
    assert [key["kid"] for key in keys] == ["user-1"]
    assert "d" not in keys[0]
    claims = jwt.decode(member.token, jwt.PyJWK(keys[0]).key, algorithms=["EdDSA"], audience="atrium")
    assert claims["sub"] == member.user["id"]


async def test_with_a_shared_secret_tokens_are_hs256_and_no_key_is_published(
    start_gateway: StartGateway,
) -> None:
    secret = "s" * 64
    async with start_gateway(jwt_secret_key=secret) as gateway, gateway.client() as http:
        person = await gateway.sign_up("ada")
        keys = (await http.get("/api/v1/auth/jwks")).json()["keys"]
        me = await person.get("/api/v1/auth/me")
    assert jwt.get_unverified_header(person.token)["alg"] == "HS256"
    assert keys == []
    assert me.status_code == 200


async def test_sessions_that_ended_long_ago_are_purged(gateway: Gateway, member: Person) -> None:
    await gateway.fetch(
        "UPDATE session SET revoked_at = now() - interval '30 days', revoked_reason = 'test' WHERE user_id "
        "= $1",
        member.user["id"],
    )
    await gateway.state.retention.run()
    rows = await gateway.fetch("SELECT user_id FROM session")
    assert member.user["id"] not in {str(row["user_id"]) for row in rows}
    assert len(rows) == 1
