"""The synchronisation with a scripted OpenRouter."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs
from uuid import uuid4

import orjson
import pytest
import pytest_asyncio
from billing_service.tracking.openrouter import OpenRouter, ProviderRefusedError
from billing_service.tracking.sync import OpenRouterSync
from servers import serve
from shared.auth.permissions import Role
from shared.auth.principal import DEFAULT_ORGANISATION_ID
from shared.db import Database
from shared.http.client import make_client
from sqlalchemy import text

pytestmark = pytest.mark.asyncio(loop_scope="module")

API = "/api/v1/usage-tracking"

TODAY = datetime.now(UTC).date()

YESTERDAY = TODAY - timedelta(days=1)


@dataclass
class FakeOpenRouter:
    """Answers as OpenRouter's documentation says; the call number `pause_at` gets a 429."""

    generations: dict = field(default_factory=dict)
    activity: dict = field(default_factory=dict)
    malformed: set = field(default_factory=set)
    pause_at: int | None = None
    broken: bytes | None = None
    order: list = field(default_factory=list)
    calls: Counter = field(default_factory=Counter)
    keys: set = field(default_factory=set)

    async def __call__(self, scope, receive, send):
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        call = (scope["path"].rpartition("/")[2], query.get("id") or query.get("date"))
        self.calls[call] += 1
        self.order.append(call)
        self.keys.add(dict(scope["headers"])[b"authorization"].decode())
        status, body, headers = 200, b"", []
        if len(self.order) == self.pause_at:
            status, headers = 429, [(b"retry-after", b"1.5")]
        elif self.broken is not None:
            body = self.broken
        elif scope["path"].endswith("/generation"):
            found = self.generations.get(query["id"])
            unknown = 400 if query["id"] in self.malformed else 404
            status, body = (
                (200, orjson.dumps({"data": found}))
                if found
                else (unknown, b'{"error":{"message":"not found"}}')
            )
        else:
            body = orjson.dumps({"data": self.activity.get(query["date"], [])})
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def generation(model="openai/gpt-4o", *, cost=0.0015, created_at=None):
    return {
        "id": "gen-1",
        "model": model,
        "total_cost": cost,
        "tokens_prompt": 9,
        "tokens_completion": 20,
        "native_tokens_prompt": 10,
        "native_tokens_completion": 25,
        "created_at": (created_at or datetime.now(UTC)).isoformat(),
    }


def activity(model="openai/gpt-4o", *, usage, requests=1, prompt=10, completion=25, day=YESTERDAY):
    return {
        "date": day.isoformat(),
        "model": model,
        "model_permaslug": f"{model}-2024",
        "endpoint_id": "e",
        "provider_name": "OpenAI",
        "usage": usage,
        "requests": requests,
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "reasoning_tokens": 0,
    }


@dataclass
class Stage:
    fake: FakeOpenRouter
    sync: OpenRouterSync
    database: Database

    async def due(self):
        async with self.database.transaction() as session:
            await session.execute(DUE)

    async def run(self):
        await self.due()
        assert await self.sync.look()


DUE = text("UPDATE openrouter_sync SET next_run_at = now() - interval '1 second'")


@pytest_asyncio.fixture(loop_scope="module")
async def stage(billing):
    fake = FakeOpenRouter()
    database = Database(billing.settings.database_url.get_secret_value(), schema="billing")
    async with database.transaction() as session:
        for table in ("provider_call", "external_usage"):
            await session.execute(text(f"DELETE FROM {table}"))
    async with serve(fake, lifespan="off") as url, make_client(f"{url}/api/v1") as client:
        openrouter = OpenRouter(client, key="sk-or-inference", management_key="sk-or-management")
        yield Stage(fake, OpenRouterSync(database, openrouter, interval_s=600, days_back=1), database)
    await database.dispose()


async def dispatch(billing, tenant, generation_id, *, days_ago=0, reported_nano=None):
    """One settled dispatch that the provider knows as `generation_id`."""
    held = (await billing.reserve(tenant, model="gpt-4o")).json()
    body = {"usage": {"input_tokens": 10, "output_tokens": 25}, "source": "provider", "outcome": "complete"}
    body |= {
        "occurred_at": datetime.now(UTC).isoformat(),
        "provider_request_id": generation_id,
        "provider_cost_nano": reported_nano,
    }
    answer = await billing.http.post(
        f"/internal/v1/reservations/{held['request_id']}/settle", json=body, headers=billing.inference()
    )
    assert answer.status_code == 200, answer.text
    if days_ago:
        moved = (
            "UPDATE provider_call SET occurred_at = occurred_at - make_interval(days => $2) WHERE "
            "provider_request_id = $1"
        )
        await billing.pool.execute(moved, generation_id, days_ago)
    return answer.json()


async def test_the_final_cost_is_fetched_once_and_dated_by_its_own_time(billing, stage, tenant):
    await dispatch(billing, tenant, "gen-a", reported_nano=1_400_000)
    created_at = datetime.now(UTC) - timedelta(hours=2)
    stage.fake.generations["gen-a"] = generation(created_at=created_at)
    await stage.run()
    await stage.run()
    assert stage.fake.calls["generation", "gen-a"] == 1
    row = await billing.pool.fetchrow("SELECT * FROM provider_call WHERE provider_request_id = 'gen-a'")
    assert (row["reported_nano"], row["billed_nano"], row["billed_at"]) == (1_400_000, 1_500_000, created_at)
    assert (row["input_tokens"], row["output_tokens"]) == (10, 25)


async def test_what_the_provider_does_not_know_yet_is_asked_for_later(billing, stage, tenant):
    await dispatch(billing, tenant, "gen-late")
    await stage.run()
    await stage.run()
    assert stage.fake.calls["generation", "gen-late"] == 1  # not before its pause is over
    stage.fake.generations["gen-late"] = generation()
    await billing.pool.execute("UPDATE provider_call SET next_attempt_at = now()")
    await stage.run()
    assert (
        await billing.pool.fetchval(
            "SELECT billed_nano FROM provider_call WHERE provider_request_id = 'gen-late'"
        )
        == 1_500_000
    )


async def test_one_answer_that_cannot_be_read_does_not_stop_the_others(billing, stage, tenant):
    for generation_id in ("gen-another-providers", "gen-odd", "gen-good"):
        await dispatch(billing, tenant, generation_id)
    stage.fake.malformed.add("gen-another-providers")
    stage.fake.generations |= {"gen-odd": {**generation(), "model": None}, "gen-good": generation()}
    await stage.run()
    rows = await billing.pool.fetch(
        "SELECT provider_request_id, billed_nano, attempts FROM provider_call ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [
        ("gen-another-providers", None, 1),
        ("gen-good", 1_500_000, 0),
        ("gen-odd", None, 1),
    ]
    assert (await billing.pool.fetchval("SELECT state FROM openrouter_sync")) == "idle"


async def test_more_generations_than_one_page_are_all_fetched(billing, stage, tenant):
    for number in range(120):
        held = uuid4()
        insert = (
            "INSERT INTO provider_call (provider_request_id, request_id, model, occurred_at) VALUES ($1, "
            "$2, 'm', now())"
        )
        await billing.pool.execute(insert, f"gen-{number}", held)
        stage.fake.generations[f"gen-{number}"] = generation()
    await stage.run()
    assert await billing.pool.fetchval("SELECT count(*) FROM provider_call WHERE billed_nano IS NULL") == 0
    assert max(stage.fake.calls.values()) == 1


async def test_usage_that_was_settled_here_is_not_counted_twice(billing, stage, tenant):
    await dispatch(billing, tenant, "gen-y", days_ago=1)
    at = datetime.combine(YESTERDAY, datetime.min.time(), UTC) + timedelta(hours=3)
    stage.fake.generations["gen-y"] = generation(cost=0.0015, created_at=at)
    stage.fake.activity[YESTERDAY.isoformat()] = [activity(usage=0.0015)]
    await stage.run()
    assert await billing.pool.fetch("SELECT * FROM external_usage WHERE source = 'openrouter'") == []


async def test_usage_that_nobody_settled_here_is_found_and_corrected(billing, stage, tenant):
    await dispatch(billing, tenant, "gen-z", days_ago=1)
    at = datetime.combine(YESTERDAY, datetime.min.time(), UTC) + timedelta(hours=3)
    stage.fake.generations["gen-z"] = generation(cost=0.0015, created_at=at)
    stage.fake.activity[YESTERDAY.isoformat()] = [
        activity(usage=0.0115, requests=4, prompt=110, completion=225),
        activity("meta/llama", usage=0.5, requests=2, prompt=7, completion=8),
        activity("meta/llama", usage=0.25, requests=1, prompt=1, completion=1),
    ]
    await stage.run()
    await stage.run()
    rows = await billing.pool.fetch("SELECT * FROM external_usage WHERE source = 'openrouter' ORDER BY model")
    found = {
        row["model"]: (row["cost_nano"], row["requests"], row["input_tokens"], row["output_tokens"])
        for row in rows
    }
    assert found == {"meta/llama": (750_000_000, 3, 8, 9), "openai/gpt-4o": (10_000_000, 3, 100, 200)}
    assert all(
        row["occurred_at"].date() == YESTERDAY and row["organisation_id"] == DEFAULT_ORGANISATION_ID
        for row in rows
    )
    stage.fake.activity[YESTERDAY.isoformat()] = [activity(usage=0.0015)]
    await stage.run()
    left = await billing.pool.fetch(
        "SELECT model FROM external_usage WHERE source = 'openrouter' AND model = 'openai/gpt-4o'"
    )
    assert left == []


async def test_a_run_that_was_paused_goes_on_where_it_stopped(billing, stage):
    days = [(TODAY - timedelta(days=back)).isoformat() for back in (3, 2, 1)]
    for day in days:
        stage.fake.activity[day] = [activity(usage=0.5, day=datetime.fromisoformat(day).date())]
    async with stage.database.transaction() as session:
        await session.execute(
            text(
                "UPDATE openrouter_sync SET days_back = 3, next_day = NULL, state = 'requested', "
                "next_run_at = now()"
            )
        )
    stage.fake.pause_at = 2
    assert await stage.sync.look()
    row = await billing.pool.fetchrow("SELECT state, next_day, error, next_run_at FROM openrouter_sync")
    assert (row["state"], row["next_day"].isoformat()) == ("waiting", days[1])
    assert "429" in row["error"]
    assert not await stage.sync.look()  # the pause that was asked for is kept
    await stage.due()
    assert await stage.sync.look()
    assert [day for _, day in stage.fake.order] == [days[0], days[1], days[1], days[2]]
    assert await billing.pool.fetchval("SELECT state FROM openrouter_sync") == "idle"
    assert await billing.pool.fetchval("SELECT count(*) FROM external_usage WHERE source = 'openrouter'") == 3


async def test_one_of_several_processes_runs(stage):
    await stage.due()
    ran = await asyncio.gather(*(stage.sync.look() for _ in range(4)))
    assert sum(ran) == 1


async def test_keys_go_where_they_belong(billing, stage, tenant):
    await dispatch(billing, tenant, "gen-key")
    stage.fake.generations["gen-key"] = generation()
    await stage.run()
    assert stage.fake.keys == {"Bearer sk-or-inference", "Bearer sk-or-management"}


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b'{"data":{}}',
        b'{"data":{"model":"m","total_cost":1e400,"created_at":"2026-01-01"}}',
        b'{"data":{"model":"m","total_cost":-1,"created_at":"2026-01-01"}}',
        b'{"data":{"model":"m","total_cost":1,"created_at":"soon"}}',
        b'{"data":{"model":"a\\u0000b","total_cost":1,"created_at":"2026-01-01"}}',
        b"x" * (17 * 1024 * 1024),
    ],
)
async def test_a_lying_provider_changes_nothing(billing, stage, tenant, body):
    await dispatch(billing, tenant, f"gen-{uuid4()}")
    stage.fake.broken = body
    await stage.run()
    row = await billing.pool.fetchrow("SELECT state, error FROM openrouter_sync")
    assert row["state"] == "waiting"
    assert row["error"]
    assert (
        await billing.pool.fetchval("SELECT count(*) FROM provider_call WHERE billed_nano IS NOT NULL") == 0
    )


async def test_a_run_can_be_asked_for_and_followed(start_billing, tenant, until):
    fake = FakeOpenRouter(activity={YESTERDAY.isoformat(): [activity(usage=0.5)]})
    keys = {"openrouter_api_key": "sk-or-a", "openrouter_management_key": "sk-or-b"}
    async with (
        serve(fake, lifespan="off") as url,
        start_billing(jobs_enabled=True, openrouter_base_url=f"{url}/api/v1", **keys) as billing,
    ):
        headers = billing.person(tenant, Role.ADMIN)
        asked = await billing.http.post(
            f"{API}/sync/openrouter-usage", json={"days_back": 2}, headers=headers
        )
        assert (asked.status_code, asked.json()["enabled"], asked.json()["days_back"]) == (202, True, 2)

        async def done():
            status = (await billing.http.get(f"{API}/sync/status", headers=headers)).json()
            return (
                status["state"] == "idle"
                and fake.calls["activity", (TODAY - timedelta(days=2)).isoformat()] == 1
            )

        await until(done)
        for days_back in (0, 31, "a"):
            refused = await billing.http.post(
                f"{API}/sync/openrouter-usage", json={"days_back": days_back}, headers=headers
            )
            assert refused.status_code == 422


async def test_without_a_key_it_says_what_is_missing(billing, tenant):
    headers = billing.person(tenant, Role.ADMIN)
    refused = await billing.http.post(f"{API}/sync/openrouter-usage", json={"days_back": 1}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "sync_off")
    assert "OPENROUTER_API_KEY" in refused.json()["detail"]
    assert (await billing.http.get(f"{API}/sync/status", headers=headers)).json()["enabled"] is False


async def test_a_provider_that_refuses_the_key_is_said_so(stage):
    async def refuse(scope, receive, send):
        await send({"type": "http.response.start", "status": 403, "headers": []})
        await send(
            {
                "type": "http.response.body",
                "body": b'{"error":{"message":"Only management keys can fetch activity"}}',
            }
        )

    async with serve(refuse, lifespan="off") as url, make_client(url) as client:
        with pytest.raises(ProviderRefusedError, match="check the key"):
            await OpenRouter(client, key="sk-or-x", management_key="sk-or-y").activity(YESTERDAY)
