"""What leaves the gateway compressed, and what does not."""

import gzip
from pathlib import Path
from typing import Any

import httpx
from gateways.proxy_stage import TOKEN, answer, stage
from gateways.running import Gateway, StartGateway

TAKES_GZIP = {"accept-encoding": "gzip, br"}


async def raw_of(http: httpx.AsyncClient, path: str, headers: dict[str, str]) -> tuple[httpx.Headers, bytes]:
    async with http.stream("GET", path, headers=headers) as found:
        return found.headers, b"".join([piece async for piece in found.aiter_raw()])


async def test_large_json_of_its_own_is_compressed_for_those_who_take_it(gateway: Gateway) -> None:
    async with gateway.client() as http:
        headers, small = await raw_of(http, "/openapi.json", TAKES_GZIP)
        _, plain = await raw_of(http, "/openapi.json", {"accept-encoding": "identity"})
        refused, _ = await raw_of(http, "/openapi.json", {"accept-encoding": "gzip;q=0"})
        little, _ = await raw_of(http, "/health", TAKES_GZIP)
    assert headers["content-encoding"] == "gzip"
    assert headers["vary"] == "accept-encoding"
    assert int(headers["content-length"]) == len(small) < len(plain) / 3
    assert gzip.decompress(small) == plain
    assert "content-encoding" not in refused
    assert "content-encoding" not in little


async def test_the_page_is_compressed_and_answers_with_tokens_are_not(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    page = "<!doctype html>" + "<p>Atrium</p>" * 200
    (tmp_path / "index.html").write_text(page)
    async with start_gateway(web_build_dir=tmp_path) as gateway, gateway.client(headers=TAKES_GZIP) as http:
        headers, small = await raw_of(http, "/", TAKES_GZIP)
        person = await gateway.sign_up("ada")
        own = await http.get("/api/v1/auth/me", headers=person.bearer)
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(small).decode() == page
    assert "content-encoding" not in own.headers


async def test_what_a_service_answers_passes_untouched() -> None:
    body = b'{"a":"' + b"x" * 5000 + b'"}'

    async def upstream(_scope: Any, _receive: Any, send: Any) -> None:
        await answer(send, body=body, headers=((b"content-type", b"application/json"),))

    async with (
        stage(upstream) as setting,
        httpx.AsyncClient(
            timeout=60, base_url=setting.url, headers={"authorization": f"Bearer {TOKEN}"}
        ) as http,
    ):
        headers, sent = await raw_of(http, "/api/v1/chats", TAKES_GZIP)
    assert sent == body
    assert "content-encoding" not in headers
