"""What administrators see and change."""

import asyncio

import pytest
from gateways.running import Gateway, Person

USERS = "/api/v1/admin/users"


async def test_users_are_listed_in_pages_the_last_changed_first(gateway: Gateway, admin: Person) -> None:
    people = [await gateway.sign_up(name) for name in ("grace", "alan", "edsger")]
    await admin.patch(f"{USERS}/{people[0].user['id']}", {"role": "finance"})
    first = (await admin.get(USERS, params={"limit": 3})).json()
    second = (await admin.get(USERS, params={"limit": 3, "after": first["last_id"]})).json()
    names = [user["name"] for user in first["data"] + second["data"]]
    assert names == ["grace", "edsger", "alan", "ada"]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert first["data"][0]["teams"] == ["a0000000-0000-4000-8000-000000000001"]


async def test_a_changed_role_holds_at_once_for_tokens_already_given(admin: Person, member: Person) -> None:
    assert (await member.get(USERS)).status_code == 403
    changed = await admin.patch(f"{USERS}/{member.user['id']}", {"role": "org-admin"})
    assert changed.json()["role"] == "org-admin"
    assert (await member.get(USERS)).status_code == 200
    await admin.patch(f"{USERS}/{member.user['id']}", {"role": "user"})
    assert (await member.get(USERS)).status_code == 403


async def test_a_suspended_person_is_out_at_once_and_cannot_come_back(
    gateway: Gateway, admin: Person, member: Person
) -> None:
    assert (await member.get("/api/v1/auth/me")).status_code == 200
    await admin.patch(f"{USERS}/{member.user['id']}", {"status": "suspended"})
    me = await member.get("/api/v1/auth/me")
    refresh = await member.http.post("/api/v1/auth/refresh")
    async with gateway.client() as http:
        signin = await http.post(
            "/api/v1/auth/signin", json={"email": member.email, "password": "correct horse battery"}
        )
    assert (me.status_code, me.json()["code"]) == (403, "account_suspended")
    assert refresh.status_code == 403
    assert signin.status_code == 403
    await admin.patch(f"{USERS}/{member.user['id']}", {"status": "active"})
    assert (await member.get("/api/v1/auth/me")).status_code == 200


async def test_the_last_administrator_stays(admin: Person, member: Person) -> None:
    own = f"{USERS}/{admin.user['id']}"
    demoted = await admin.patch(own, {"role": "user"})
    suspended = await admin.patch(own, {"status": "suspended"})
    assert (demoted.status_code, demoted.json()["code"]) == (409, "last_admin")
    assert suspended.status_code == 403
    await admin.patch(f"{USERS}/{member.user['id']}", {"role": "admin"})
    assert (await admin.patch(own, {"role": "user"})).status_code == 200


async def test_two_administrators_cannot_demote_each_other_at_once(
    gateway: Gateway, admin: Person, member: Person
) -> None:
    await admin.patch(f"{USERS}/{member.user['id']}", {"role": "admin"})
    await asyncio.gather(
        admin.patch(f"{USERS}/{member.user['id']}", {"role": "user"}),
        member.patch(f"{USERS}/{admin.user['id']}", {"role": "user"}),
    )
    rows = await gateway.fetch("SELECT count(*) AS n FROM user_account WHERE role = 'admin'")
    assert rows[0]["n"] == 1


async def test_every_act_is_audited_and_announced_with_its_effect(
    gateway: Gateway, admin: Person, member: Person
) -> None:
    await admin.patch(f"{USERS}/{member.user['id']}", {"role": "finance"})
    await admin.patch(f"{USERS}/{member.user['id']}", {"role": "finance"})
    await admin.patch(f"{USERS}/{admin.user['id']}", {"role": "user"})
    audit = (await admin.get("/api/v1/admin/audit")).json()["data"]
    events = await gateway.fetch("SELECT topic FROM outbox ORDER BY id")
    assert [(entry["action"], entry["target_id"], entry["actor_id"], entry["detail"]) for entry in audit] == [
        ("user.role_changed", member.user["id"], admin.user["id"], {"before": "user", "after": "finance"})
    ]
    assert [event["topic"] for event in events] == ["account.role_changed"]


async def test_the_audit_log_cannot_be_rewritten_by_the_service(gateway: Gateway) -> None:
    for statement in ("UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"):
        with pytest.raises(Exception, match="permission denied"):
            await gateway.fetch(statement)


async def test_nobody_hands_out_more_than_they_hold(admin: Person, member: Person) -> None:
    await admin.patch(f"{USERS}/{member.user['id']}", {"role": "org-admin"})
    up = await member.patch(f"{USERS}/{member.user['id']}", {"role": "admin"})
    down = await member.patch(f"{USERS}/{admin.user['id']}", {"role": "user"})
    assert up.status_code == down.status_code == 403
    assert (await admin.get("/api/v1/auth/me")).json()["role"] == "admin"


async def test_a_narrow_key_of_an_administrator_makes_no_administrators(
    gateway: Gateway, admin: Person, member: Person
) -> None:
    key = (
        await admin.post("/api/v1/auth/api-keys", {"name": "hr", "scopes": ["users:read", "users:write"]})
    ).json()["key"]
    async with gateway.client(headers={"x-api-key": key}) as http:
        answer = await http.patch(f"{USERS}/{member.user['id']}", json={"role": "admin"})
    assert answer.status_code == 403


async def test_the_read_only_administrator_reads_and_changes_nothing(admin: Person, member: Person) -> None:
    await admin.patch(f"{USERS}/{member.user['id']}", {"role": "admin-readonly"})
    assert (await member.get(USERS)).status_code == 200
    assert (await member.get("/api/v1/admin/audit")).status_code == 200
    assert (await member.patch(f"{USERS}/{admin.user['id']}", {"role": "user"})).status_code == 403


async def test_bad_changes_are_refused(admin: Person, member: Person) -> None:
    path = f"{USERS}/{member.user['id']}"
    assert (await admin.patch(path, {})).status_code == 422
    assert (await admin.patch(path, {"role": "emperor"})).status_code == 422
    assert (
        await admin.patch(f"{USERS}/00000000-0000-7000-8000-000000000000", {"role": "user"})
    ).status_code == 404
    assert (await admin.patch(f"{USERS}/not-an-id", {"role": "user"})).status_code == 422


async def test_teams_and_organisations_are_listed(admin: Person, member: Person) -> None:
    teams = (await admin.get("/api/v1/admin/teams")).json()["data"]
    organisations = (await admin.get("/api/v1/admin/organisations")).json()["data"]
    assert [(team["name"], team["members"]) for team in teams] == [("Default", 2)]
    assert [organisation["usage_mode"] for organisation in organisations] == ["hybrid"]
    assert (await member.get("/api/v1/admin/teams")).status_code == 403
