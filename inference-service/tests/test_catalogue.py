"""Which models there are, under which names, and how their providers fare."""

import json
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest
from fake_provider import FakeProvider, running_provider
from identities import make_principal
from servers import serve
from shared.auth.permissions import Role
from suite.waiting import eventually


def administrator(running: Any) -> dict[str, str]:
    return running.keys.user_headers(make_principal(Role.ADMIN))


async def test_two_providers_of_one_model_are_told_apart_by_a_prefix(
    start: Any, provider: FakeProvider, billing: Any
) -> None:
    async with (
        running_provider() as second,
        start(openai_api_base_urls=f"{provider.url};{second.url}") as running,
    ):
        await running.models_found("openai-2/fake-echo")
        body = {"model": "openai-2/fake-echo", "messages": [{"role": "user", "content": "hi"}]}
        assert (await running.client.post("/v1/chat/completions", json=body)).status_code == 200
        assert (second.dispatches, provider.dispatches) == (1, 0)
        assert second.requests[-1]["body"]["model"] == "fake-echo"
        (hold,) = billing.holds.values()
        assert hold["model"] == "openai-2/fake-echo"
        one = (await running.client.get("/v1/models/openai-2/fake-echo")).json()
        assert abs(one.pop("created") - time.time()) < 60, "when it was first seen"
        assert one == {"id": "openai-2/fake-echo", "object": "model", "owned_by": "openai-2"}


async def test_a_provider_that_is_down_is_shown_and_holds_up_no_other(
    start: Any, provider: FakeProvider
) -> None:
    async with start(
        openai_api_base_urls=f"http://127.0.0.1:9/v1;{provider.url}", openai_api_keys=";sk-hidden"
    ) as running:
        await running.models_found("fake-echo")
        response = await running.client.get("/api/v1/inference/providers", headers=administrator(running))
        broken, working = response.json()["data"]
        assert (broken["status"], working["status"]) == ("down", "ready")
        assert "cannot be reached" in broken["detail"]
        assert "127.0.0.1:9" in broken["operator_detail"]
        assert working["address"] == provider.url
        assert "sk-hidden" not in response.text


async def test_only_administrators_see_where_providers_are(start: Any, provider: FakeProvider) -> None:
    async with start(
        openai_api_base_urls=f"http://127.0.0.1:9/v1;{provider.url}", openai_api_keys=";sk-hidden"
    ) as running:
        await running.models_found("fake-echo")
        for path in ("/api/v1/inference/providers", "/api/v1/inference/models"):
            for role in (Role.USER, Role.TEAM_ADMIN, Role.ORG_ADMIN, Role.FINANCE):
                headers = running.keys.user_headers(make_principal(role))
                text = (await running.client.get(path, headers=headers)).text
                assert "127.0.0.1" not in text
                assert "OPENAI_API" not in text
        views = (await running.client.get("/api/v1/inference/providers")).json()["data"]
        assert [(view["address"], view["status"]) for view in views] == [(None, "down"), (None, "ready")]


async def test_a_call_that_cannot_reach_its_provider_marks_it_at_once(start: Any) -> None:
    async with AsyncExitStack() as alive:
        provider = await alive.enter_async_context(running_provider())
        port = int(provider.url.rsplit(":", 1)[1].removesuffix("/v1"))
        async with start(openai_api_base_urls=provider.url, discovery_interval_s=3600) as running:
            await running.models_found("fake-echo")

            async def status() -> str:
                views = (await running.client.get("/api/v1/inference/models")).json()["data"]
                return next(view["status"] for view in views if view["id"] == "fake-echo")

            assert await status() == "ready"
            await alive.aclose()
            body = {"model": "fake-echo", "messages": [{"role": "user", "content": "hi"}]}
            assert (await running.client.post("/v1/chat/completions", json=body)).status_code == 503
            assert await status() == "down"
            async with running_provider(port=port):

                async def is_back() -> bool:
                    return await status() == "ready"

                await eventually(is_back)


@pytest.mark.parametrize("path", ["/v1/models/openai-2/fake-echo", "/v1/models/openai-2%2Ffake-echo"])
async def test_ids_with_a_slash_are_found_in_either_spelling(
    start: Any, provider: FakeProvider, path: str
) -> None:
    async with (
        running_provider() as second,
        start(openai_api_base_urls=f"{provider.url};{second.url}") as running,
    ):
        await running.models_found("openai-2/fake-echo")
        assert (await running.client.get(path)).json()["id"] == "openai-2/fake-echo"
        assert (await running.client.head(path)).status_code == 200
        assert (await running.client.head("/v1/models")).status_code == 200


async def test_the_list_says_where_each_window_comes_from(start: Any) -> None:
    models = [
        {"id": "openai/GPT-4o:free", "object": "model", "created": 1_700_000_000},
        {"id": "told", "context_length": 9000, "max_completion_tokens": 500},
        {"id": "mine"},
        {"id": "nobody-knows"},
        {"id": "text-embedding-3-small"},
        {"id": "some-embedding"},
    ]

    async def provider(scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": orjson.dumps({"data": models})})

    windows = "Mine=32768/1000; told=8000"
    async with (
        serve(provider, lifespan="off") as url,
        start(openai_api_base_urls=f"{url}/v1", model_context_lengths=windows) as running,
    ):
        await running.models_found("mine")
        views = (await running.client.get("/api/v1/inference/models")).json()["data"]
        found = {
            view["id"]: (view["context_length"], view["context_source"], view["output_tokens_max"])
            for view in views
        }
        created = (await running.client.get("/v1/models/openai/GPT-4o:free")).json()["created"]
        service = running.keys.service_headers("chat-service", target="inference-service")
        internal = (await running.client.get("/internal/v1/models", headers=service)).json()["data"]
        refused = await running.client.get("/internal/v1/models")
    assert found["openai/GPT-4o:free"] == (128_000, "table", 16_384)
    assert found["told"] == (8000, "setting", 500)
    assert found["mine"] == (32_768, "setting", 1000)
    assert found["nobody-knows"] == (128_000, "default", None)
    assert found["text-embedding-3-small"][:2] == (8191, "table")
    assert found["some-embedding"] == (512, "default", None)
    assert created == 1_700_000_000
    assert {model["id"]: model["context_length"] for model in internal}["mine"] == 32_768
    assert refused.status_code == 403


async def test_what_is_asked_holds_up_to_the_models_own_limit(start: Any, provider: FakeProvider) -> None:
    async with start(
        openai_api_base_urls=provider.url, model_context_lengths="fake-echo=200000/100000;fake-slow=4096"
    ) as running:
        await running.models_found("fake-echo")
        asked = [
            ("fake-echo", 6000, 6000),
            ("fake-echo", 400_000, 100_000),
            ("fake-echo", None, 4096),
            ("fake-slow", 100_000, 4096),
        ]
        for model, tokens, sent in asked:
            body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": tokens}
            await running.client.post("/v1/chat/completions", json=body)
            assert provider.requests[-1]["body"]["max_tokens"] == sent
        # What nobody asked for does not fill a small window.
        await running.client.post(
            "/v1/chat/completions",
            json={"model": "fake-slow", "messages": [{"role": "user", "content": "hi"}]},
        )
        assert 0 < provider.requests[-1]["body"]["max_tokens"] < 4096


async def test_what_cannot_fit_is_refused_in_words_that_clients_know(
    start: Any, provider: FakeProvider, billing: Any
) -> None:
    async with start(openai_api_base_urls=provider.url, model_context_lengths="fake-echo=4096") as running:
        await running.models_found("fake-echo")
        body = {"model": "fake-echo", "messages": [{"role": "user", "content": "word " * 20_000}]}
        response = await running.client.post("/v1/chat/completions", json=body)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (
        400,
        "context_length_exceeded",
        "messages",
    )
    assert "This model's maximum context length is 4096 tokens" in error["message"]
    assert not billing.holds
    assert not provider.dispatches


async def test_people_are_named_to_a_provider_by_a_hash(start: Any, provider: FakeProvider) -> None:
    async with start(openai_api_base_urls=provider.url) as running:
        await running.models_found("fake-echo")
        people = [make_principal(), make_principal()]
        sent: list[Any] = []
        for person, members in (
            (people[0], {}),
            (people[0], {"user": "root", "prompt_cache_key": "x"}),
            (people[1], {"user": "root"}),
        ):
            body = {"model": "fake-echo", "messages": [{"role": "user", "content": "hi"}], **members}
            await running.client.post(
                "/v1/chat/completions", json=body, headers=running.keys.user_headers(person)
            )
            sent.append(provider.requests[-1]["body"])
    assert sent[0]["user"] == sent[1]["user"] != sent[2]["user"]
    assert len({body["prompt_cache_key"] for body in sent}) == 3
    text = json.dumps(sent)
    assert not any(str(person.user_id) in text or "root" in text for person in people)


async def test_an_operator_can_keep_people_unnamed(start: Any, provider: FakeProvider) -> None:
    async with start(openai_api_base_urls=provider.url, provider_person_members="off") as running:
        await running.models_found("fake-echo")
        body = {"model": "fake-echo", "messages": [{"role": "user", "content": "hi"}], "user": "me"}
        await running.client.post("/v1/chat/completions", json=body)
    assert not {"user", "prompt_cache_key"} & provider.requests[-1]["body"].keys()


async def test_a_wrong_key_shows_at_the_provider(start: Any) -> None:
    async with (
        running_provider(api_key="right") as provider,
        start(openai_api_base_urls=provider.url, openai_api_keys="wrong") as running,
    ):

        async def down() -> bool:
            (view,) = (await running.client.get("/api/v1/inference/providers")).json()["data"]
            return view["status"] == "down" and "credentials" in view["detail"]

        await eventually(down)
        shown = (await running.client.get("/api/v1/inference/providers")).text
        assert "OPENAI_API_KEYS" not in shown
        assert "127.0.0.1" not in shown
        admin = running.keys.user_headers(make_principal(Role.ADMIN))
        (view,) = (await running.client.get("/api/v1/inference/providers", headers=admin)).json()["data"]
        assert view["address"] == provider.url
        assert "OPENAI_API_KEYS" in view["operator_detail"]


async def test_a_model_that_appears_is_found_on_demand(start: Any, provider: FakeProvider) -> None:
    async with start(openai_api_base_urls=provider.url) as running:
        running.app.state.discovery.states[0].next_due_s = 1e12
        response = await running.client.get("/v1/models/fake-echo")
        assert response.status_code == 200


async def test_an_unknown_model_is_404_in_openais_envelope(running: Any) -> None:
    response = await running.client.get("/v1/models/nothing")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


async def test_a_built_in_model_on_its_way_is_503_with_progress_and_no_hold(
    start: Any, tmp_path: Path, billing: Any
) -> None:
    status = tmp_path / "model.json"
    report = {
        "state": "downloading",
        "model": "tiny",
        "downloaded_bytes": 5,
        "total_bytes": 10,
        "eta_s": 3,
        "detail": None,
    }
    status.write_text(json.dumps(report))
    async with start(local_model_url="http://127.0.0.1:9", local_model_status_path=status) as running:
        await running.models_found("tiny")
        (view,) = (await running.client.get("/api/v1/inference/models")).json()["data"]
        assert (view["status"], view["builtin"], view["starter"]) == ("loading", True, True)
        assert view["progress"]["downloaded_bytes"] == 5
        body = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}
        response = await running.client.post("/v1/chat/completions", json=body)
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["progress"]["total_bytes"]) == (
            503,
            "model_loading",
            10,
        )
        assert response.headers["retry-after"]
        status.write_text(json.dumps({**report, "state": "failed", "detail": "disk full"}))
        failed = (await running.client.post("/v1/chat/completions", json=body)).json()["error"]
        assert (failed["code"], "disk full" in failed["message"]) == ("provider_unavailable", True)
        status.write_text(json.dumps({**report, "state": "ready"}))
        gone = await running.client.post("/v1/chat/completions", json=body)
        assert gone.json()["error"]["code"] == "model_loading"
        assert not billing.open_holds


async def test_prices_are_shown_when_billing_tells_them(running: Any) -> None:
    views = (await running.client.get("/api/v1/inference/models")).json()["data"]
    priced = {view["id"]: view["priced"] for view in views}
    assert (priced["fake-echo"], priced["fake-slow"]) == (True, False)


async def test_the_list_works_without_billing(running: Any, billing: Any) -> None:
    billing.failing.add("prices")
    views = (await running.client.get("/api/v1/inference/models")).json()["data"]
    assert {view["priced"] for view in views} == {None}
