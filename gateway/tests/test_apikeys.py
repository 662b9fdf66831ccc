"""API keys: creation, limits of what they may do, rotation, revocation, swapping."""

import hashlib
from typing import Any

import pytest
from gateways.running import KEYS, Gateway, Person, StartGateway
from shared.auth.tokens import TokenVerifier

KEYS_PATH = "/api/v1/auth/api-keys"
ME = "/api/v1/auth/me"


async def make_key(person: Person, **form: Any) -> dict[str, Any]:
    answer = await person.post(KEYS_PATH, {"name": "robot", **form})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def me_with(gateway: Gateway, key: str, header: str = "authorization"):
    async with gateway.client() as http:
        return await http.get(ME, headers={header: f"Bearer {key}" if header == "authorization" else key})


async def test_the_key_is_shown_once_and_stored_as_a_hash(gateway: Gateway, member: Person) -> None:
    made = await make_key(member)
    listed = await member.get(KEYS_PATH)
    (row,) = await gateway.fetch("SELECT * FROM api_key")
    assert made["key"].startswith("atr-")
    assert made["key"].startswith(made["prefix"])
    assert made["key"] not in listed.text
    assert row["key_sha256"] == hashlib.sha256(made["key"].encode()).digest()
    assert made["key"] not in str(dict(row))


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
async def test_a_key_works_wherever_a_token_does(gateway: Gateway, member: Person, header: str) -> None:
    made = await make_key(member)
    answer = await me_with(gateway, made["key"], header)
    assert answer.status_code == 200
    assert answer.json()["key_id"] == made["id"]
    (row,) = await gateway.fetch("SELECT last_used_at FROM api_key")
    assert row["last_used_at"] is not None


async def test_a_key_never_exceeds_its_creator(gateway: Gateway, member: Person) -> None:
    refused = await member.post(KEYS_PATH, {"name": "mine", "scopes": ["users:write"]})
    unknown = await member.post(KEYS_PATH, {"name": "mine", "scopes": ["everything"]})
    narrow = await make_key(
        member, scopes=["me:read", "keys:manage"], models=["small"], limits={"rpm": 5}, expires_in_s=3600
    )
    async with gateway.client(headers={"x-api-key": narrow["key"]}) as http:
        wider_scope = await http.post(KEYS_PATH, json={"name": "child", "scopes": ["models:use"]})
        wider_model = await http.post(KEYS_PATH, json={"name": "child", "models": ["large"]})
        child = (await http.post(KEYS_PATH, json={"name": "child", "limits": {"rpm": 100}})).json()
        other = await make_key(member)
        stolen = await http.post(f"{KEYS_PATH}/{other['id']}/rotate", json={})
        itself = await http.post(f"{KEYS_PATH}/{narrow['id']}/rotate", json={})
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_exceeds_creator")
    assert unknown.status_code == 422
    assert wider_scope.status_code == 403
    assert (wider_model.status_code, wider_model.json()["code"]) == (403, "models_exceed_creator")
    assert child["scopes"] == ["keys:manage", "me:read"]
    assert child["models"] == ["small"]
    assert child["limits"] == {"rpm": 5}
    assert child["expires_at"] == narrow["expires_at"]
    assert stolen.status_code == 403
    assert itself.status_code == 200


async def test_scopes_narrow_what_the_key_may_do(gateway: Gateway, member: Person) -> None:
    made = await make_key(member, scopes=["me:read"])
    async with gateway.client(headers={"x-api-key": made["key"]}) as http:
        assert (await http.get(ME)).json()["permissions"] == ["me:read"]
        assert (await http.get(KEYS_PATH)).status_code == 403


async def test_a_revoked_key_stops_at_once_and_says_so_to_other_services(
    gateway: Gateway, admin: Person, member: Person
) -> None:
    made = await make_key(member)
    assert (await me_with(gateway, made["key"])).status_code == 200
    foreign = await admin.delete(f"{KEYS_PATH}/{made['id']}")
    deleted = await member.delete(f"{KEYS_PATH}/{made['id']}")
    refused = await me_with(gateway, made["key"])
    events = await gateway.fetch("SELECT key FROM outbox WHERE topic = 'key.revoked'")
    assert foreign.status_code == 404
    assert deleted.status_code == 204
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_key")
    assert [event["key"] for event in events] == [f"key:{made['id']}"]
    assert (await member.get(KEYS_PATH)).json()["data"] == []
    assert (await member.delete(f"{KEYS_PATH}/{made['id']}")).status_code == 404


async def test_rotation_with_grace_keeps_the_old_key_for_a_while(gateway: Gateway, member: Person) -> None:
    made = await make_key(member)
    graceful = (await member.post(f"{KEYS_PATH}/{made['id']}/rotate", {"grace_s": 60})).json()
    assert (await me_with(gateway, made["key"])).status_code == 200
    assert (await me_with(gateway, graceful["key"])).status_code == 200
    assert graceful["id"] == made["id"]
    await gateway.fetch("UPDATE api_key SET previous_expires_at = now()")
    gateway.state.authenticator.memory.drop_all()
    assert (await me_with(gateway, made["key"])).status_code == 401
    assert (await me_with(gateway, graceful["key"])).status_code == 200


async def test_rotation_without_grace_stops_the_old_key_at_once(gateway: Gateway, member: Person) -> None:
    made = await make_key(member)
    assert (await me_with(gateway, made["key"])).status_code == 200
    rotated = (await member.post(f"{KEYS_PATH}/{made['id']}/rotate", {})).json()
    assert (await me_with(gateway, made["key"])).status_code == 401
    assert (await me_with(gateway, rotated["key"])).status_code == 200


async def test_an_expired_key_is_refused(gateway: Gateway, member: Person) -> None:
    made = await make_key(member, expires_in_s=60)
    await gateway.fetch("UPDATE api_key SET expires_at = now() - interval '1 second'")
    assert (await me_with(gateway, made["key"])).status_code == 401


@pytest.mark.parametrize(
    "key", ["atr-", "atr-short", "atr-" + "a" * 43, "atr-" + "'" * 43, "atr-" + "a" * 5000]
)
async def test_a_made_up_key_is_refused(gateway: Gateway, admin: Person, key: str) -> None:
    assert (await me_with(gateway, key)).status_code == 401


async def test_a_key_swapped_for_a_token_carries_its_limits_to_the_services(
    gateway: Gateway, member: Person
) -> None:
    made = await make_key(member, scopes=["me:read", "models:use"], models=["small"], limits={"rpm": 7})
    async with gateway.client() as http:
        swapped = (
            await http.post("/api/v1/auth/token", headers={"authorization": f"Bearer {made['key']}"})
        ).json()
        token_again = await http.post("/api/v1/auth/token", headers=member.bearer)
    principal = TokenVerifier(jwks=KEYS.jwks, audience="inference-service").verify(swapped["access_token"])
    assert swapped["expires_in"] == 300
    assert str(principal.key_id) == made["id"]
    assert principal.models == ("small",)
    assert principal.rpm == 7
    assert {permission.value for permission in principal.permissions} == {"me:read", "models:use"}
    assert token_again.status_code == 422
    assert (await me_with(gateway, swapped["access_token"])).status_code == 200
    await member.delete(f"{KEYS_PATH}/{made['id']}")
    assert (await me_with(gateway, swapped["access_token"])).status_code == 401


async def test_keys_are_listed_in_pages(member: Person) -> None:
    made = [(await make_key(member, name=f"key {n}"))["id"] for n in range(3)]
    first = (await member.get(KEYS_PATH, params={"limit": 2})).json()
    second = (await member.get(KEYS_PATH, params={"limit": 2, "after": first["last_id"]})).json()
    assert [key["id"] for key in first["data"] + second["data"]] == made[::-1]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert (await member.get(KEYS_PATH, params={"limit": 101})).status_code == 422


async def test_a_suspended_owner_takes_the_key_along(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        admin, member = await gateway.sign_up("ada"), await gateway.sign_up("grace")
        made = await make_key(member)
        await admin.patch(f"/api/v1/admin/users/{member.user['id']}", {"status": "suspended"})
        answer = await me_with(gateway, made["key"])
    assert (answer.status_code, answer.json()["code"]) == (403, "account_suspended")
