"""The web client as the browser gets it."""

import gzip
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from gateway_service.web.build import accepted_codings
from gateway_service.web.policy import content_security_policy, script_hashes
from gateways.running import Gateway, StartGateway

SCRIPT = "\n  start({ base: '' });\n"
INDEX = (
    "<!doctype html><html><head><script type='module' "
    f"src='/_app/x.js'></script><script>{SCRIPT}</script></head><body></body></html>"
)
CODE = b"export const answer = 42;"


@pytest.fixture
def build(tmp_path: Path) -> Path:
    folder = tmp_path / "build"
    immutable = folder / "_app" / "immutable"
    immutable.mkdir(parents=True)
    (folder / "index.html").write_text(INDEX)
    (folder / "favicon.svg").write_text("<svg/>")
    (immutable / "app.abc123.js").write_bytes(CODE)
    (immutable / "app.abc123.js.gz").write_bytes(gzip.compress(CODE))
    (immutable / "app.abc123.js.br").write_bytes(b"brotli bytes")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


async def test_hashed_assets_are_immutable_and_come_precompressed(
    start_gateway: StartGateway, build: Path
) -> None:
    async with start_gateway(web_build_dir=build) as gateway, gateway.client() as http:
        path = "/_app/immutable/app.abc123.js"
        gzipped = await http.get(path, headers={"accept-encoding": "gzip"})
        plain = await http.get(path, headers={"accept-encoding": "identity"})
        async with http.stream("GET", path, headers={"accept-encoding": "gzip, br"}) as brotli:
            raw = b"".join([chunk async for chunk in brotli.aiter_raw()])
        direct = await http.get(path + ".gz")
        again = await http.get(
            path, headers={"accept-encoding": "identity", "if-none-match": plain.headers["etag"]}
        )
    assert gzipped.headers["content-encoding"] == "gzip"
    assert gzipped.content == plain.content == CODE
    assert "content-encoding" not in plain.headers
    assert (brotli.headers["content-encoding"], raw) == ("br", b"brotli bytes")
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["vary"] == "Accept-Encoding"
    assert plain.headers["content-type"].startswith("text/javascript")
    assert direct.status_code == 404
    assert again.status_code == 304


async def test_every_page_address_gets_the_page_with_its_policy(
    start_gateway: StartGateway, build: Path
) -> None:
    async with start_gateway(web_build_dir=build) as gateway, gateway.client() as http:
        for path in ("/", "/signup?setup_token=x", "/chats/0190-abc", "/index.html"):
            answer = await http.get(path)
            assert answer.status_code == 200
            assert answer.text == INDEX
            policies = answer.headers.get_list("content-security-policy")
            assert len(policies) == 1
            digest = b64encode(sha256(SCRIPT.encode()).digest()).decode()
            assert f"script-src 'self' 'sha256-{digest}'" in policies[0]
            assert "frame-ancestors 'none'" in policies[0]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "same-origin"
            assert "permissions-policy" in answer.headers
            assert answer.headers["cache-control"] == "no-cache"
        icon = await http.get("/favicon.svg")
        head = await http.head("/")
    assert icon.headers["content-type"] == "image/svg+xml"
    assert icon.headers["cache-control"] == "no-cache"
    assert head.status_code == 200


async def test_api_addresses_and_missing_files_are_404_and_not_the_page(
    start_gateway: StartGateway, build: Path
) -> None:
    async with start_gateway(web_build_dir=build) as gateway, gateway.client() as http:
        for path in (
            "/api/v1/nothing",
            "/api",
            "/api/v2/x",
            "/missing.js",
            "/_app/immutable/gone.js",
            "/%2e%2e/secret.txt",
            "/..%2fsecret.txt",
        ):
            answer = await http.get(path)
            assert answer.status_code in {400, 404}, path
            assert answer.headers["content-type"] == "application/problem+json"
        posted = await http.post("/chats")
    assert posted.status_code == 404


async def test_a_link_out_of_the_build_folder_is_not_served(start_gateway: StartGateway, build: Path) -> None:
    (build / "leak.txt").symlink_to(build.parent / "secret.txt")
    async with start_gateway(web_build_dir=build) as gateway, gateway.client() as http:
        assert (await http.get("/leak.txt")).status_code == 404


async def test_a_rebuild_is_served_without_a_restart_and_its_old_files_are_gone(
    start_gateway: StartGateway, build: Path
) -> None:
    new, old_files = (
        build / "_app/immutable/app.def456.js",
        [build / f"_app/immutable/app.abc123.js{suffix}" for suffix in ("", ".gz", ".br")],
    )
    async with start_gateway(web_build_dir=build) as gateway, gateway.client() as http:
        before = await http.get("/")
        for file in old_files:
            file.unlink()
        assert (await http.get("/_app/immutable/app.abc123.js")).status_code == 404
        assert (await http.get("/")).text == INDEX, "the last page stays until the next is there"
        new.write_bytes(CODE)
        (build / "index.html").write_text(INDEX.replace("start(", "begin("))
        after = await http.get("/")
        assert (await http.get(f"/_app/immutable/{new.name}")).content == CODE
    assert "begin(" in after.text
    assert before.headers["content-security-policy"] != after.headers["content-security-policy"]


async def test_without_a_build_the_page_says_how_to_make_one(gateway: Gateway) -> None:
    async with gateway.client() as http:
        answer = await http.get("/")
        status = await http.get("/api/v1/status")
    assert answer.status_code == 503
    assert "make web" in answer.text
    assert "script-src 'self';" in answer.headers["content-security-policy"]
    assert status.status_code == 200


def test_only_inline_scripts_are_hashed_each_once() -> None:
    html = (
        "<script src=a.js></script><SCRIPT>one()</SCRIPT><script defer>one()</script><script "
        "data-src=x>two()</script>"
    )
    assert len(script_hashes(html)) == 2
    assert "unsafe-eval" not in content_security_policy(html)


@pytest.mark.parametrize(
    ("header", "codings"),
    [
        ("gzip, br;q=0", {"gzip"}),
        ("br;q=0.5", {"br"}),
        ("", {""}),
        ("GZIP;q=0.0, *", {"*"}),
        ("br ; q=1.0", {"br"}),
    ],
)
def test_codings_with_quality_zero_are_not_accepted(header: str, codings: set[str]) -> None:
    assert accepted_codings(header) == codings
