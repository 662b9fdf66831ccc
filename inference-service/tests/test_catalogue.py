"""Which models there are, under which names, and how their providers fare."""

import json
import time
from pathlib import Path
from typing import Any

from shared.auth import Role
from shared.testing.fake_provider import FakeProvider, running_provider
from shared.testing.identity import make_principal


async def test_two_providers_of_one_model_are_told_apart_by_a_prefix(start: Any, provider: FakeProvider, billing: Any) -> None:
    async with running_provider() as second, start(openai_api_base_urls=f"{provider.url};{second.url}") as running:
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


async def test_a_provider_that_is_down_is_shown_and_holds_up_no_other(start: Any, provider: FakeProvider) -> None:
    async with start(openai_api_base_urls=f"http://127.0.0.1:9/v1;{provider.url}", openai_api_keys=";sk-hidden") as running:
        await running.models_found("fake-echo")
        response = await running.client.get("/api/v1/inference/providers")
        broken, working = response.json()["data"]
        assert (broken["status"], working["status"]) == ("down", "ready")
        assert "cannot be reached" in broken["detail"]
        assert "sk-hidden" not in response.text


async def test_a_wrong_key_shows_at_the_provider(start: Any, eventually: Any) -> None:
    async with running_provider(api_key="right") as provider, start(openai_api_base_urls=provider.url, openai_api_keys="wrong") as running:

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


async def test_a_built_in_model_on_its_way_is_503_with_progress_and_no_hold(start: Any, tmp_path: Path, billing: Any) -> None:
    status = tmp_path / "model.json"
    report = {"state": "downloading", "model": "tiny", "downloaded_bytes": 5, "total_bytes": 10, "eta_s": 3, "detail": None}
    status.write_text(json.dumps(report))
    async with start(local_model_url="http://127.0.0.1:9", local_model_status_path=status) as running:
        await running.models_found("tiny")
        (view,) = (await running.client.get("/api/v1/inference/models")).json()["data"]
        assert (view["status"], view["builtin"], view["starter"]) == ("loading", True, True)
        assert view["progress"]["downloaded_bytes"] == 5
        body = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}
        response = await running.client.post("/v1/chat/completions", json=body)
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["progress"]["total_bytes"]) == (503, "model_loading", 10)
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
