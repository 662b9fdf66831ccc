"""Sign-up, sign-in, rotating refresh tokens, sessions and API keys, through the gateway."""

import httpx
import pytest
from suite.people import PASSWORD, Person, client
from suite.stack import Stack
from suite.waiting import until

pytestmark = pytest.mark.e2e

COOKIE = "atrium_refresh"


def refreshed(gateway_url: str, token: str) -> httpx.Response:
    """The answer to one refresh with exactly this refresh token."""
    with client(gateway_url) as http:
        return http.post("/api/v1/auth/refresh", headers={"cookie": f"{COOKIE}={token}"})


def test_the_first_account_is_the_administrator_and_the_next_are_users(
    stack: Stack, admin: Person, person: Person
) -> None:
    assert admin.role == "admin"
    assert person.role == "user"
    config = httpx.get(f"{stack.gateway_url}/api/v1/auth/config", trust_env=False, timeout=60).json()
    assert config["setup_required"] is False


def test_sign_up_answers_with_a_token_and_a_cookie_out_of_reach_of_scripts(stack: Stack) -> None:
    someone = Person.sign_up(stack.gateway_url)
    assert someone.get("/api/v1/auth/me")["email"] == someone.email
    with client(stack.gateway_url) as http:
        answer = http.post("/api/v1/auth/signin", json={"email": someone.email, "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/api/v1/auth" in cookie
    assert PASSWORD not in answer.text


def test_an_address_can_sign_up_once(stack: Stack, person: Person) -> None:
    body = {"name": "Again", "email": person.email.upper(), "password": PASSWORD}
    with client(stack.gateway_url) as http:
        answer = http.post("/api/v1/auth/signup", json=body)
    assert answer.status_code == 409


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(stack: Stack, person: Person) -> None:
    with client(stack.gateway_url) as http:
        wrong = http.post("/api/v1/auth/signin", json={"email": person.email, "password": "not this one"})
        unknown = http.post(
            "/api/v1/auth/signin", json={"email": f"x{person.email}", "password": "not this one"}
        )
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["detail"] == unknown.json()["detail"]


def test_a_refresh_gives_a_new_token_and_the_next_cookie(stack: Stack, person: Person) -> None:
    before = person.http.cookies[COOKIE]
    answer = person.http.post("/api/v1/auth/refresh")
    assert answer.status_code == 200, answer.text
    assert person.http.cookies[COOKIE] != before
    person.use_token(answer.json()["access_token"])
    assert person.get("/api/v1/auth/me")["id"] == person.id


def test_two_tabs_that_refresh_at_once_both_stay_signed_in(stack: Stack, person: Person) -> None:
    shared = person.http.cookies[COOKIE]
    first, second = refreshed(stack.gateway_url, shared), refreshed(stack.gateway_url, shared)
    assert first.status_code == second.status_code == 200
    assert first.cookies[COOKIE] == second.cookies[COOKIE]


def test_a_refresh_token_used_again_later_ends_the_session(stack: Stack, person: Person) -> None:
    stolen = person.http.cookies[COOKIE]
    used = refreshed(stack.gateway_url, stolen).cookies[COOKIE]
    current = refreshed(stack.gateway_url, used).cookies[COOKIE]
    until(
        lambda: refreshed(stack.gateway_url, stolen).status_code == 401,
        within_s=5,
        what="the reuse to be refused",
    )
    assert refreshed(stack.gateway_url, current).status_code == 401


def test_signing_out_ends_the_session_at_once(stack: Stack, person: Person) -> None:
    token = person.http.cookies[COOKIE]
    assert person.http.post("/api/v1/auth/signout").status_code == 204
    assert refreshed(stack.gateway_url, token).status_code == 401
    until(
        lambda: person.http.get("/api/v1/auth/me").status_code == 401,
        within_s=3,
        what="the token to stop at the gateway",
    )


def test_another_site_cannot_use_the_refresh_cookie(person: Person) -> None:
    answer = person.http.post("/api/v1/auth/refresh", headers={"origin": "https://evil.example"})
    assert answer.status_code == 403


def test_a_session_that_is_revoked_from_another_device_stops(stack: Stack, person: Person) -> None:
    laptop = Person.sign_in(stack.gateway_url, person.email)
    sessions = person.get("/api/v1/auth/sessions")["data"]
    assert len(sessions) == 2
    (theirs,) = (each["id"] for each in sessions if not each["current"])
    assert person.http.delete(f"/api/v1/auth/sessions/{theirs}").status_code == 204
    until(
        lambda: laptop.http.get("/api/v1/auth/me").status_code == 401,
        within_s=3,
        what="the other session to end",
    )
    assert person.http.get("/api/v1/auth/me").status_code == 200


def test_a_key_is_shown_once_and_works_as_bearer_and_as_x_api_key(stack: Stack, person: Person) -> None:
    made = person.make_key()
    assert made["key"].startswith("atr-")
    listed = person.http.get("/api/v1/auth/api-keys")
    assert made["key"] not in listed.text
    assert listed.json()["data"][0]["prefix"] == made["prefix"]
    with client(stack.gateway_url) as http:
        for header in ({"authorization": f"Bearer {made['key']}"}, {"x-api-key": made["key"]}):
            assert http.get("/api/v1/auth/me", headers=header).json()["id"] == person.id
            assert http.get("/v1/models", headers=header).status_code == 200


def test_a_revoked_key_stops_at_once(stack: Stack, person: Person) -> None:
    made = person.make_key()
    header = {"authorization": f"Bearer {made['key']}"}
    with client(stack.gateway_url) as http:
        assert http.get("/v1/models", headers=header).status_code == 200
        assert person.http.delete(f"/api/v1/auth/api-keys/{made['id']}").status_code == 204
        until(
            lambda: http.get("/v1/models", headers=header).status_code == 401,
            within_s=3,
            what="the key to stop",
        )


def test_a_rotated_key_replaces_the_old_one(stack: Stack, person: Person) -> None:
    made = person.make_key()
    rotated = person.http.post(f"/api/v1/auth/api-keys/{made['id']}/rotate", json={"grace_s": 0}).json()
    with client(stack.gateway_url) as http:
        assert http.get("/v1/models", headers={"x-api-key": rotated["key"]}).status_code == 200
        until(
            lambda: http.get("/v1/models", headers={"x-api-key": made["key"]}).status_code == 401,
            within_s=3,
            what="the old key to stop",
        )


def test_a_key_swapped_for_a_token_opens_a_service_that_refuses_the_key(stack: Stack, person: Person) -> None:
    made = person.make_key()
    with client(stack.gateway_url) as http:
        swapped = http.post("/api/v1/auth/token", headers={"x-api-key": made["key"]})
    assert swapped.status_code == 200, swapped.text
    with client(stack.url("billing-service")) as http:
        token = swapped.json()["access_token"]
        assert (
            http.get("/api/v1/billing/entitlements", headers={"authorization": f"Bearer {token}"}).status_code
            == 200
        )
        refused = http.get("/api/v1/billing/entitlements", headers={"authorization": f"Bearer {made['key']}"})
    assert refused.status_code == 401
    assert "/api/v1/auth/token" in refused.json()["detail"]


def test_a_key_holds_no_more_than_its_scopes_and_models(stack: Stack, person: Person) -> None:
    made = person.make_key(scopes=["models:use", "models:read"], models=["fake-slow"])
    with client(stack.gateway_url, authorization=f"Bearer {made['key']}") as http:
        assert http.get("/api/v1/chats").status_code == 403
        assert [model["id"] for model in http.get("/v1/models").json()["data"]] == ["fake-slow"]
        refused = http.post(
            "/v1/chat/completions",
            json={"model": "fake-echo", "messages": [{"role": "user", "content": "hi"}]},
        )
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "model_not_allowed"


def test_the_password_can_be_changed_and_other_sessions_end(stack: Stack, person: Person) -> None:
    other = Person.sign_in(stack.gateway_url, person.email)
    body = {"current_password": PASSWORD, "new_password": "another good password"}
    assert person.http.post("/api/v1/auth/password", json=body).status_code == 204
    until(
        lambda: other.http.get("/api/v1/auth/me").status_code == 401,
        within_s=3,
        what="the other session to end",
    )
    with client(stack.gateway_url) as http:
        assert (
            http.post("/api/v1/auth/signin", json={"email": person.email, "password": PASSWORD}).status_code
            == 401
        )
        assert (
            http.post(
                "/api/v1/auth/signin", json={"email": person.email, "password": "another good password"}
            ).status_code
            == 200
        )


def test_an_administrator_suspends_a_person_at_once_and_it_is_audited(admin: Person, person: Person) -> None:
    assert (
        admin.http.patch(f"/api/v1/admin/users/{person.id}", json={"status": "suspended"}).status_code == 200
    )
    until(
        lambda: person.http.get("/api/v1/chats").status_code in {401, 403},
        within_s=3,
        what="the suspension to reach the gateway",
    )
    acts = admin.get("/api/v1/admin/audit")["data"]
    assert any(act["target_id"] == person.id for act in acts)
