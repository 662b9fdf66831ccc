"""After two years only what docs/retention.md keeps is left in the gateway."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest
from gateways.running import Gateway, Person

_OLD = "now() - interval '800 days'"


async def execute(url: str, sql: str, *arguments: Any) -> None:
    connection = await asyncpg.connect(url, server_settings={"search_path": "gateway,public"})
    try:
        await connection.execute(sql, *arguments)
    finally:
        await connection.close()


async def count(gateway: Gateway, table: str, condition: str = "true") -> int:
    return (await gateway.fetch(f"SELECT count(*) AS n FROM {table} WHERE {condition}"))[0]["n"]


async def age(gateway: Gateway, person: Person) -> None:
    """What the person left two years ago: ended sessions, used tokens, a revoked and an expired key, acts,
    events.
    """
    user_id = UUID(person.user["id"])
    owner = gateway.database.owner_url
    for ended, expires_at in (("revoked_at", "now()"), ("created_at", _OLD)):
        await execute(
            owner,
            f"WITH s AS (INSERT INTO session (id, user_id, user_agent, address, expires_at, {ended})"
            f" SELECT uuidv7(), $1, 'old', '', {expires_at}, {_OLD} FROM generate_series(1, 30) RETURNING id)"
            " INSERT INTO refresh_token (token_sha256, session_id, expires_at)"
            f" SELECT sha256(id::text::bytea), id, {_OLD} FROM s",
            user_id,
        )
    for ended in ("revoked_at", "expires_at"):
        await execute(
            owner,
            f"INSERT INTO api_key (id, user_id, team_id, name, prefix, key_sha256, {ended})"
            f" SELECT uuidv7(), $1, (SELECT id FROM team LIMIT 1), 'old', 'atr-', sha256('{ended}'), {_OLD}",
            user_id,
        )
    await execute(
        owner,
        "INSERT INTO audit_log (id, organisation_id, action, target_type, target_id, created_at)"
        f" SELECT uuidv7(interval '-800 days'), id, 'old', 'user', id, {_OLD} FROM organisation;"
        "INSERT INTO audit_log (id, organisation_id, action, target_type, target_id, created_at)"
        " SELECT uuidv7(interval '-700 days'), id, 'fresh', 'user', id, now() - interval '700 days' FROM "
        "organisation;"
        "INSERT INTO outbox (id, topic, key, payload, published_at)"
        f" VALUES (uuidv7(interval '-800 days'), 'old', 'k', '{{}}', {_OLD}), (uuidv7(interval '-6 days'), "
        f"'fresh', 'k', '{{}}', now());"
        "INSERT INTO idempotency_key (principal, method, route, key, body_hash, created_at)"
        f" VALUES ('p', 'POST', '/x', 'old', '', {_OLD}), ('p', 'POST', '/x', 'fresh', '', now());",
    )


async def test_two_years_later_every_table_that_ends_is_bounded_and_the_rest_works(
    gateway: Gateway, admin: Person, member: Person
) -> None:
    made = await member.post("/api/v1/auth/api-keys", {"name": "fresh"})
    assert made.status_code == 201
    # One link of a live chain was replaced long ago; the live one stays.
    assert (await member.http.post("/api/v1/auth/refresh")).status_code == 200
    await execute(
        gateway.database.owner_url,
        f"UPDATE refresh_token SET replaced_at = {_OLD} WHERE replaced_at IS NOT NULL",
    )
    await age(gateway, member)

    await gateway.state.retention.run()

    assert await count(gateway, "session", "user_agent = 'old'") == 0
    assert await count(gateway, "session") == 2
    assert await count(gateway, "refresh_token") == 2
    assert [row["name"] for row in await gateway.fetch("SELECT name FROM api_key")] == ["fresh"]
    assert await count(gateway, "audit_log", "action = 'old'") == 0
    assert await count(gateway, "audit_log", "action = 'fresh'") == 1
    assert {row["topic"] for row in await gateway.fetch("SELECT topic FROM outbox WHERE key = 'k'")} == {
        "fresh"
    }
    assert [row["key"] for row in await gateway.fetch("SELECT key FROM idempotency_key")] == ["fresh"]
    assert (await member.http.post("/api/v1/auth/refresh")).status_code == 200
    assert len((await member.get("/api/v1/auth/api-keys")).json()["data"]) == 1
    assert await gateway.state.retention.run() == {}


async def test_the_service_cannot_delete_a_young_act(gateway: Gateway, admin: Person, member: Person) -> None:
    path = f"/api/v1/admin/users/{member.user['id']}"
    assert (await admin.patch(path, {"status": "suspended"})).status_code == 200
    acts = await count(gateway, "audit_log")
    with pytest.raises(asyncpg.RaiseError, match="90 days"):
        await gateway.fetch("SELECT purge_audit_log(interval '1 day', 1000)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await gateway.fetch("DELETE FROM audit_log")
    await gateway.fetch("SELECT purge_audit_log(interval '90 days', 1000)")
    assert await count(gateway, "audit_log") == acts >= 1


async def test_a_deleted_account_leaves_the_audit_trail_and_nothing_else(
    gateway: Gateway, admin: Person, member: Person
) -> None:
    await member.post("/api/v1/auth/api-keys", {"name": "robot"})
    user_id = UUID(member.user["id"])
    assert (await admin.delete(f"/api/v1/admin/users/{user_id}")).status_code == 204
    assert (await member.get("/api/v1/auth/me")).status_code == 401
    assert (await member.http.post("/api/v1/auth/refresh")).status_code == 401
    tables = [
        row["tablename"]
        for row in await gateway.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'gateway'")
    ]
    naming = {
        table
        for table in tables
        for row in await gateway.fetch(f"SELECT t::text AS text FROM {table} t")
        if str(user_id) in row["text"] or member.email in row["text"]
    }
    assert naming == {"audit_log", "outbox"}
    acts = (await admin.get("/api/v1/admin/audit")).json()["data"]
    assert (acts[0]["action"], acts[0]["target_id"], acts[0]["actor_id"]) == (
        "user.deleted",
        str(user_id),
        admin.user["id"],
    )
    assert "example.com" not in str(acts)
    assert (await admin.delete(f"/api/v1/admin/users/{user_id}")).status_code == 404
    # The address is free again, for a person who has nothing of the former one.
    again = await gateway.sign_up("grace")
    assert again.user["id"] != str(user_id)


async def test_nobody_deletes_themselves_the_last_admin_or_those_above_them(
    gateway: Gateway, admin: Person, member: Person
) -> None:
    path = "/api/v1/admin/users/"
    assert (await admin.delete(path + admin.user["id"])).status_code == 403
    assert (await member.delete(path + admin.user["id"])).status_code == 403
    assert (await admin.patch(path + member.user["id"], {"role": "org-admin"})).status_code == 200
    refused = await member.delete(path + admin.user["id"])
    assert (refused.status_code, refused.json()["code"]) == (403, "role_exceeds_own")
    assert (await admin.get("/api/v1/auth/me")).status_code == 200
