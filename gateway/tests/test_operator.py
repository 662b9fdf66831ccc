"""`make admin-password` and `make token`."""

import asyncio
from typing import Any

import pytest
from gateway_service.operator.__main__ import main
from gateways.running import KEYS, PASSWORD, Gateway, Person


@pytest.fixture
def environment(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """The gateway's environment, as the supervisor passes it on."""
    for name, value in KEYS.environment("gateway", database_url=gateway.database.app_url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ATRIUM_HOME", str(tmp_path))
    monkeypatch.setenv("PASSWORD_HASH_MEMORY_KIB", "8")


async def run(arguments: list[str]) -> int:
    """The command as its own process would run it: with a loop of its own."""
    return await asyncio.to_thread(main, arguments)


async def test_a_token_of_the_first_administrator(
    gateway: Gateway, admin: Person, member: Person, environment: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(["token"]) == 0
    token = capsys.readouterr().out.strip()
    answer = await admin.http.get("/api/v1/auth/me", headers={"authorization": f"Bearer {token}"})
    assert answer.json()["email"] == admin.email
    assert await run(["token", "--email", "GRACE@example.com"]) == 0
    token = capsys.readouterr().out.strip()
    answer = await admin.http.get("/api/v1/auth/me", headers={"authorization": f"Bearer {token}"})
    assert answer.json()["email"] == member.email


async def test_a_reset_password_works_and_ends_the_sessions(
    gateway: Gateway, admin: Person, environment: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(["admin-password"]) == 0
    email, password = capsys.readouterr().out.strip().splitlines()[-2:]
    async with gateway.client() as http:
        old = await http.post("/api/v1/auth/signin", json={"email": email, "password": PASSWORD})
        new = await http.post("/api/v1/auth/signin", json={"email": email, "password": password})
    assert old.status_code == 401
    assert new.status_code == 200
    assert (await admin.http.post("/api/v1/auth/refresh")).status_code == 401
    rows = await gateway.fetch("SELECT action, actor_id FROM audit_log")
    assert [(row["action"], row["actor_id"]) for row in rows] == [("user.password_reset", None)]


async def test_nobody_yet_is_said_in_one_line(
    gateway: Gateway, environment: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(["token"]) == 1
    assert "sign up in the browser first" in capsys.readouterr().err
