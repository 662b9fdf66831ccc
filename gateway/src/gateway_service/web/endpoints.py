"""Serves the web client: files by name, and its one page for every other address a person may open."""

from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from gateway_service.web.addresses import missing, wants_page
from gateway_service.web.build import Asset, LiveBuild, WebBuild
from gateway_service.web.policy import page_headers
from shared.errors import NotFound, Unavailable

_READS = frozenset({"GET", "HEAD"})
_MISSING = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Atrium</title>
<h1>The web client is not built</h1><p>Run <code>make web</code> in the clone and load this page again.
The API works: <a href="/docs">its reference</a>, <a href="/api/v1/status">status</a>.</p></html>"""


@dataclass(frozen=True, slots=True)
class _Page:
    """The one page of a build and the policy that fits its inline scripts."""

    build: WebBuild
    text: str
    status: int
    headers: dict[str, str]

    @classmethod
    def of(cls, build: WebBuild) -> "_Page":
        text = build.index or _MISSING
        status = Unavailable.status if build.index is None else 200
        return cls(build, text, status, {**page_headers(text), "Cache-Control": "no-cache"})


def build_router(folder: Path, *, base: str) -> APIRouter:
    """The catch-all route; include it last. `base`: the public address, for those who ask at a wrong one."""
    router = APIRouter(include_in_schema=False)
    live = LiveBuild(folder)
    shown = _Page.of(live.current())

    @router.api_route("/{path:path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], summary="The web client")
    async def web_client(path: str, request: Request) -> Response:
        nonlocal shown
        build = live.current()
        asset = build.assets.get(path) if request.method in _READS else None
        if asset is not None and path != "index.html":
            return _file(asset, request)
        if request.method not in _READS or not wants_page(request, path):
            raise missing(request, path, base=base)
        if shown.build is not build:
            shown = _Page.of(build)
        return HTMLResponse(shown.text, status_code=shown.status, headers=shown.headers)

    return router


def _file(asset: Asset, request: Request) -> Response:
    path, coding = asset.choose(request.headers.get("accept-encoding", ""))
    headers = {"Cache-Control": asset.cache_control, "X-Content-Type-Options": "nosniff"}
    if asset.variants:
        headers["Vary"] = "Accept-Encoding"
    if coding is not None:
        headers["Content-Encoding"] = coding
    try:
        etag = _etag(path)
    except FileNotFoundError:  # a rebuild has replaced it
        raise NotFound("this file belongs to an earlier build; load the page again") from None
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={**headers, "ETag": etag})
    return FileResponse(path, media_type=asset.media_type, headers={**headers, "ETag": etag})


def _etag(path: Path) -> str:
    found = path.stat()
    return f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
