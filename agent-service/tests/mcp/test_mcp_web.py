"""Web servers that misbehave as MCP servers: it stays bounded and is told in plain words."""

import asyncio
import gzip
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from agent_service.mcp.port import ServerError, StreamableHttp
from mcp_worlds import LIMITS, Connect, Reply, WebServer, http_target, reply, respond, tool
from servers import serve

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_redirect_is_not_followed_wherever_it_leads(connect: Connect) -> None:
    async def elsewhere(_request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
        await respond(send, 307, b"", location="http://169.254.169.254/latest/meta-data")

    async def next_door(_request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
        await respond(send, 308, b"", location="/other")

    for redirect in (elsewhere, next_door):
        server = WebServer(initialize=redirect, server_discover=redirect)
        async with serve(server, lifespan="off") as base_url:
            with pytest.raises(ServerError, match=r"redirect .30[78]., which is not followed"):
                await connect(http_target(base_url)).catalogue()
        assert {path for _, path, _ in server.seen} == {"/mcp"}


async def test_a_host_that_resolves_to_a_metadata_address_gets_no_connection(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def resolve(_loop: Any, host: str, port: int, **_options: Any) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1", port)), (2, 1, 6, "", ("169.254.169.254", port))]

    server = WebServer()
    async with serve(server, lifespan="off") as base_url:
        with monkeypatch.context() as patched:
            patched.setattr(type(asyncio.get_running_loop()), "getaddrinfo", resolve)
            target = StreamableHttp(base_url.replace("127.0.0.1", "rebinding.example"), private_allowed=True)
            with pytest.raises(
                ServerError, match=r"169\.254\.169\.254 is a link-local, site-local or metadata address"
            ):
                await connect(target).catalogue()
    assert asked == ["rebinding.example"]
    assert server.seen == []


async def test_an_unknown_host_and_a_closed_port_are_told_apart(connect: Connect) -> None:
    with pytest.raises(ServerError, match=r"the host nowhere\.invalid is not known"):
        await connect(StreamableHttp("http://nowhere.invalid/mcp")).catalogue()
    with pytest.raises(ServerError, match="cannot be reached"):
        await connect(StreamableHttp("http://127.0.0.1:9/mcp", private_allowed=True)).catalogue()


async def test_configured_headers_go_with_every_request_and_refusals_say_what_to_check(
    connect: Connect,
) -> None:
    async def wants_token(request: dict[str, Any], headers: Mapping[str, str], send: Any) -> None:
        if headers.get("authorization") != "Bearer right":
            await respond(send, 401, b"who are you")
            return
        await reply(request, send)

    server = WebServer(initialize=wants_token, tools_list=wants_token, tools_call=wants_token)
    async with serve(server, lifespan="off") as base_url:
        with pytest.raises(ServerError, match="HTTP status 401; check the token"):
            await connect(http_target(base_url, Authorization="Bearer wrong")).catalogue()
        connection = connect(http_target(base_url, Authorization="Bearer right"))
        assert (await connection.call(await tool(connection, "t"), {})).text == "fine"
        await connection.close()
    sent = [headers for _, _, headers in server.seen if headers["authorization"] == "Bearer right"]
    assert len(sent) >= 4
    assert {headers["accept-encoding"] for headers in sent} == {"identity"}


async def _giant(_request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
    await respond(send, 200, b'{"jsonrpc": "2.0", "id": 1, "result": "' + b"x" * 5_000_000 + b'"}')


async def _zipped(_request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
    await respond(send, 200, gzip.compress(b"x" * 5_000_000), content_encoding="gzip")


async def _giant_event(_request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
    await respond(send, 200, b"data: " + b"x" * 5_000_000 + b"\n\n", "text/event-stream")


async def _page(_request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
    await respond(send, 200, b"<html>", "text/html")


async def _fails(_request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
    await respond(send, 500, b"Traceback: secret")


async def _no_json(_request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
    await respond(send, 200, b"{oops")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (_giant, "its answer is larger than 2000000 bytes"),
        (_zipped, "compressed although"),
        (_giant_event, "the connection broke down"),
        (_page, "refused the request"),
        (_fails, "HTTP status 500"),
        (_no_json, "does not follow the protocol"),
    ],
    ids=["giant", "gzip-bomb", "giant-event", "web-page", "server-error", "broken-json"],
)
async def test_answers_that_are_none_are_failed_results_and_nothing_worse(
    connect: Connect, answer: Reply, says: str
) -> None:
    server = WebServer(tools_call=answer)
    async with serve(server, lifespan="off") as base_url:
        connection = connect(http_target(base_url))
        t = await tool(connection, "t")
        result = await connection.call(t, {})
        assert result.failed
        assert says in result.text
        assert "Traceback" not in result.text
        server.replies.clear()
        assert (await connection.call(t, {})).text == "fine"
        await connection.close()


async def test_a_session_the_server_forgot_is_opened_again_without_a_failed_call(connect: Connect) -> None:
    forgotten: list[bool] = []

    async def once(request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
        if not forgotten:
            forgotten.append(True)
            await respond(send, 404, b"")
            return
        await reply(request, send)

    server = WebServer(tools_call=once)
    async with serve(server, lifespan="off") as base_url:
        connection = connect(http_target(base_url))
        assert (await connection.call(await tool(connection, "t"), {})).text == "fine"
        await connection.close()
    assert [method for method, _, _ in server.seen].count("initialize") == 2


async def test_a_stream_of_unasked_messages_is_never_opened(connect: Connect) -> None:
    server = WebServer()
    async with serve(server, lifespan="off") as base_url:
        connection = connect(http_target(base_url))
        await connection.catalogue()
        await asyncio.sleep(0.2)
        await connection.close()
    assert "GET" not in {method for method, _, _ in server.seen}


async def test_calls_at_once_stay_within_their_number(connect: Connect) -> None:
    running, most = 0, 0

    async def counted(request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1
        await reply(request, send)

    async with serve(WebServer(tools_call=counted), lifespan="off") as base_url:
        connection = connect(http_target(base_url), limits=replace(LIMITS, calls_max=3))
        t = await tool(connection, "t")
        results = await asyncio.gather(*(connection.call(t, {}) for _ in range(12)))
        await connection.close()
    assert {result.text for result in results} == {"fine"}
    assert most == 3
