"""Chat completions over real HTTP: what the client gets and what billing was told agree."""

import asyncio
import json
from typing import Any

import httpx
import openai
import pytest
from completion_calls import WALLET_NANO, ask, cost_nano, events_of, post
from fake_provider import FakeProvider
from identities import make_principal
from shared.auth.permissions import Role
from shared.ids import uuid7
from suite.waiting import eventually


async def test_an_answer_is_charged_before_it_is_given(running: Any, billing: Any) -> None:
    response = await post(running, ask())
    assert response.status_code == 200
    assert response.json()["choices"][0]["message"]["content"] == "one two three"
    dispatch_id = response.headers["x-atrium-dispatch-id"]
    assert int(response.headers["x-atrium-cost-nano"]) == cost_nano(response.json()["usage"])
    assert response.headers["x-request-id"]
    assert billing.settled[dispatch_id]["source"] == "provider"
    assert billing.settled[dispatch_id]["outcome"] == "complete"
    assert not billing.open_holds


async def test_the_hold_covers_what_can_come(running: Any, billing: Any, provider: FakeProvider) -> None:
    await post(running, ask(max_tokens=50, n=2))
    (hold,) = billing.holds.values()
    assert hold["kind"] == "chat"
    assert hold["provider"] == "openai-1"
    assert hold["output_tokens_max"] == 50
    assert hold["n"] == 2
    assert hold["input_tokens_max"] >= len("one two three")
    assert provider.requests[-1]["body"]["max_tokens"] == 50


async def test_without_a_limit_the_default_is_sent_and_reported(running: Any, provider: FakeProvider) -> None:
    response = await post(running, ask())
    assert provider.requests[-1]["body"]["max_tokens"] == 4096
    assert response.headers["x-atrium-max-tokens"] == "4096"


async def test_the_output_is_clamped_to_what_is_granted_and_reported(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    billing.granted_max = 2
    response = await post(running, ask(max_completion_tokens=100))
    assert provider.requests[-1]["body"]["max_completion_tokens"] == 2
    assert response.headers["x-atrium-max-tokens"] == "2"
    assert response.json()["choices"][0]["finish_reason"] == "length"


async def test_a_stream_ends_with_what_it_cost_when_asked(running: Any, billing: Any) -> None:
    response = await post(running, ask(stream=True, stream_options={"include_usage": True}))
    *chunks, usage_chunk, done = events_of(response)
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    usage = usage_chunk["usage"]
    assert (text, done, usage_chunk["choices"]) == ("one two three", "[DONE]", [])
    assert usage["cost_nano"] == cost_nano(usage)
    assert usage["remaining_nano"] == WALLET_NANO - usage["cost_nano"]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-atrium-dispatch-id"] in billing.settled


async def test_usage_is_asked_for_upstream_and_stripped_downstream(
    running: Any, provider: FakeProvider, billing: Any
) -> None:
    response = await post(running, ask(stream=True))
    assert provider.requests[-1]["body"]["stream_options"] == {"include_usage": True}
    assert "usage" not in response.text
    assert events_of(response)[-1] == "[DONE]"
    assert billing.only_settlement()["source"] == "provider"


async def test_each_token_travels_in_its_own_event_as_it_comes(running: Any) -> None:
    body = ask("fake-slow", "!tokens=20 !delay_ms=20", stream=True)
    arrivals: list[float] = []
    loop = asyncio.get_running_loop()
    async with running.client.stream("POST", "/v1/chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: {") and json.loads(line[6:])["choices"][0]["delta"].get("content"):
                assert len(json.loads(line[6:])["choices"][0]["delta"]["content"].split()) == 1
                arrivals.append(loop.time())
    assert len(arrivals) == 20
    assert arrivals[-1] - arrivals[0] > 0.25


async def test_the_official_client_reads_streams_tools_and_errors(running: Any) -> None:
    client = openai.AsyncOpenAI(
        base_url=f"{running.url}/v1", api_key=running.keys.user_token(make_principal()), max_retries=0
    )
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    stream = await client.chat.completions.create(
        model="fake-tools", messages=[{"role": "user", "content": "weather?"}], tools=[tool], stream=True
    )
    arguments = ""
    async for chunk in stream:
        for call in chunk.choices[0].delta.tool_calls or []:
            arguments += (call.function.arguments if call.function else "") or ""
    assert json.loads(arguments) == {"city": "Paris"}
    with pytest.raises(openai.NotFoundError) as missing:
        await client.chat.completions.create(model="nothing", messages=[{"role": "user", "content": "x"}])
    assert missing.value.code == "model_not_found"
    aborted = await client.chat.completions.create(
        model="fake-abort", messages=[{"role": "user", "content": "a b c d e"}], stream=True
    )
    with pytest.raises(openai.APIError):
        async for _ in aborted:
            pass
    await client.close()


def assert_only_the_input_was_charged(billing: Any) -> None:
    """The provider had the request and never said that it would not bill it."""
    settlement = billing.only_settlement()
    assert settlement["outcome"] == "failed"
    assert settlement["usage"]["input_tokens"] > 0
    assert settlement["usage"]["output_tokens"] == 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("fake-500", 502, "provider_error"),
        ("fake-401", 502, "provider_auth_failed"),
        ("fake-429", 429, "provider_rate_limited"),
    ],
)
async def test_a_failing_provider_is_explained_and_the_hold_given_back(
    running: Any, billing: Any, model: str, status: int, code: str, stream: bool
) -> None:
    response = await post(running, ask(model, stream=stream))
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code)
    assert not billing.settled
    assert len(billing.released) == 1
    assert not billing.open_holds
    assert "sk-secret-of-the-provider" not in response.text


@pytest.mark.parametrize("stream", [True, False])
async def test_only_an_administrator_reads_which_setting_and_address_are_wrong(
    running: Any, provider: FakeProvider, caplog: pytest.LogCaptureFixture, stream: bool
) -> None:
    shown = (await post(running, ask("fake-401", stream=stream))).text
    assert "administrator must correct" in shown
    assert "OPENAI_API_KEYS" not in shown
    assert provider.url not in shown
    assert "127.0.0.1" not in shown
    headers = running.keys.user_headers(make_principal(Role.ADMIN))
    error = (await post(running, ask("fake-401", stream=stream), headers=headers)).json()["error"]
    assert "OPENAI_API_KEYS (entry 1)" in error["operator_detail"]
    assert provider.url in error["operator_detail"]
    assert "OPENAI_API_KEYS (entry 1)" in "".join(str(vars(record)) for record in caplog.records)


async def test_the_providers_retry_after_is_passed_on(running: Any) -> None:
    assert (await post(running, ask("fake-429"))).headers["retry-after"] == "1"


async def test_malformed_json_is_an_upstream_failure_that_costs_the_input(running: Any, billing: Any) -> None:
    response = await post(running, ask("fake-malformed"))
    assert response.status_code == 502
    assert_only_the_input_was_charged(billing)


@pytest.mark.parametrize("model", ["fake-abort", "fake-malformed"])
async def test_a_provider_that_dies_mid_stream_ends_in_an_error_event_and_is_billed_for_what_came(
    running: Any, billing: Any, model: str
) -> None:
    response = await post(running, ask(model, "one two three four five six", stream=True))
    assert response.status_code == 200
    assert "event: error\n" in response.text
    last = events_of(response)[-1]
    assert last["error"]["code"] == "provider_error"
    settled = billing.only_settlement()
    assert (settled["outcome"], settled["source"]) == ("failed", "partial")
    tokens = sum(1 for chunk in events_of(response)[:-1] if chunk["choices"][0]["delta"].get("content"))
    assert settled["usage"]["output_tokens"] == tokens
    assert settled["usage"]["input_tokens"] > 0


@pytest.mark.parametrize("stream", [False, True])
async def test_missing_usage_is_counted(running: Any, billing: Any, stream: bool) -> None:
    await post(running, ask("fake-no-usage", stream=stream))
    settled = billing.only_settlement()
    assert settled["source"] == "partial"
    assert settled["usage"]["output_tokens"] >= 3
    assert settled["usage"]["input_tokens"] >= 3


async def test_over_reported_usage_is_handed_to_billing_as_it_is(running: Any, billing: Any) -> None:
    await post(running, ask("fake-over"))
    assert billing.only_settlement()["usage"]["output_tokens"] == 1003


async def test_a_client_that_leaves_stops_the_provider_and_is_charged_once_for_what_came(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    body = ask("fake-slow", "!tokens=500 !delay_ms=10", stream=True)
    seen = 0
    async with running.client.stream("POST", "/v1/chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            seen += line.startswith("data: {") and '"content":" t' in line
            if seen >= 5:
                break
    await eventually(lambda: billing.settled)
    settled = billing.only_settlement()
    assert (settled["outcome"], settled["source"]) == ("stopped", "partial")
    assert 5 <= settled["usage"]["output_tokens"] < 100
    await eventually(lambda: provider.cancelled == 1)
    assert not billing.open_holds


async def test_a_client_that_leaves_before_the_first_token_pays_for_the_input_only(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await post(running, ask("fake-hang", stream=True), timeout=0.3)
    await eventually(lambda: billing.settled)
    assert billing.only_settlement()["usage"]["output_tokens"] == 0
    assert billing.only_settlement()["usage"]["input_tokens"] > 0
    assert provider.dispatches == 1


async def test_live_holds_are_renewed_with_what_has_come(running: Any, billing: Any) -> None:
    body = ask("fake-slow", "!tokens=300 !delay_ms=10", stream=True)
    async with running.client.stream("POST", "/v1/chat/completions", json=body) as response:
        lines = response.aiter_lines()
        await anext(lines)
        dispatch_id = response.headers["x-atrium-dispatch-id"]

        async def renewed() -> bool:
            await anext(lines)
            return sum(entry.get(dispatch_id, 0) > 0 for entry in billing.checkpoints) >= 2

        await eventually(renewed)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (ask("no-such-model"), 404, "model_not_found"),
        (ask(temperature=9), 400, "invalid_value"),
        (ask("fake-embed"), 400, "wrong_model_kind"),
        ({"model": "fake-echo"}, 400, "missing_required_parameter"),
    ],
)
async def test_bad_requests_are_refused_in_openais_envelope_without_a_hold(
    running: Any, billing: Any, body: dict[str, Any], status: int, code: str
) -> None:
    response = await post(running, body)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert not billing.holds


async def test_a_body_above_the_limit_is_413(start: Any, provider: FakeProvider) -> None:
    async with start(openai_api_base_urls=provider.url, request_bytes_max=2000) as running:
        response = await post(running, ask(text="x" * 3000))
        assert response.status_code == 413


async def test_a_model_off_the_principals_list_is_403(running: Any, billing: Any) -> None:
    headers = running.keys.user_headers(make_principal(models=("fake-slow",)))
    response = await post(running, ask(), headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "model_not_allowed")
    listed = (await running.client.get("/v1/models", headers=headers)).json()["data"]
    assert [model["id"] for model in listed] == ["fake-slow"]
    assert not billing.holds


async def test_no_token_is_401_and_a_role_without_the_permission_is_403(running: Any) -> None:
    assert (await post(running, ask(), headers={"authorization": ""})).status_code == 401
    pending = running.keys.user_headers(make_principal(Role.PENDING))
    assert (await post(running, ask(), headers=pending)).status_code == 403
    readonly = running.keys.user_headers(make_principal(Role.ADMIN_READONLY))
    assert (await post(running, ask(), headers=readonly)).status_code == 403


async def test_a_service_acting_for_a_person_charges_that_person(running: Any, billing: Any) -> None:
    person = make_principal()
    headers = running.keys.service_headers("chat-service", target="inference-service", principal=person)
    assert (await post(running, ask(), headers=headers)).status_code == 200
    (hold,) = billing.holds.values()
    assert hold["principal"]["user_id"] == str(person.user_id)
    bare = running.keys.service_headers("chat-service", target="inference-service")
    assert (await post(running, ask(), headers=bare)).status_code == 401


@pytest.mark.parametrize("service", ["agent-service", "chat-service", "retrieval-service", None])
async def test_chat_and_agents_choose_the_id_of_a_dispatch_and_nobody_else(
    running: Any, billing: Any, service: str | None
) -> None:
    person, chosen = make_principal(), str(uuid7())
    headers = running.keys.user_headers(person)
    if service is not None:
        headers = running.keys.service_headers(service, target="inference-service", principal=person)
    answer = await post(running, ask(), headers={**headers, "x-atrium-dispatch-id": chosen})
    assert answer.status_code == 200
    told = answer.headers["x-atrium-dispatch-id"]
    assert (told == chosen) == (service in {"agent-service", "chat-service"})
    assert list(billing.settled) == [told]


async def test_an_id_that_is_none_is_replaced(running: Any, billing: Any) -> None:
    headers = running.keys.service_headers(
        "agent-service", target="inference-service", principal=make_principal()
    )
    answer = await post(running, ask(), headers={**headers, "x-atrium-dispatch-id": "none of ours"})
    assert answer.headers["x-atrium-dispatch-id"] in billing.settled


async def test_a_provider_that_cannot_be_reached_is_503_with_the_hold_released(
    start: Any, billing: Any, provider: FakeProvider
) -> None:
    async with start(openai_api_base_urls=provider.url) as running:
        await running.models_found("fake-echo")
        remote = running.app.state.discovery.states[0].provider.remote
        object.__setattr__(remote, "origin", "http://127.0.0.1:9")
        response = await post(running, ask())
    assert (response.status_code, response.json()["error"]["code"]) == (503, "provider_unavailable")
    assert len(billing.released) == 1


@pytest.mark.parametrize(
    ("model", "stream"), [("fake-hang", False), ("fake-hang", True), ("fake-stall", True)]
)
async def test_a_provider_that_stalls_before_any_output_is_504(
    start: Any, billing: Any, provider: FakeProvider, model: str, stream: bool
) -> None:
    async with start(
        openai_api_base_urls=provider.url,
        first_token_timeout_s=0.3,
        token_timeout_s=0.3,
        answer_timeout_s=0.3,
    ) as running:
        await running.models_found(model)
        response = await post(running, ask(model, stream=stream))
    assert (response.status_code, response.json()["error"]["code"]) == (504, "provider_timeout")
    assert_only_the_input_was_charged(billing)


async def test_a_shutdown_settles_what_is_streaming(start: Any, billing: Any, provider: FakeProvider) -> None:
    async with start(openai_api_base_urls=provider.url, drain_timeout_s=0.2) as running:
        await running.models_found("fake-slow")
        body = ask("fake-slow", "!tokens=5000 !delay_ms=10", stream=True)
        request = running.client.build_request("POST", "/v1/chat/completions", json=body)
        response = await running.client.send(request, stream=True)
        await anext(response.aiter_lines())
    assert billing.only_settlement()["outcome"] == "stopped"
    assert not billing.open_holds
