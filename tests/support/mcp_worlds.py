"""Connections to MCP servers in tests, and servers that can be told to misbehave."""

import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from agent_service.mcp.catalogue import CatalogueEntry
from agent_service.mcp.connection import Connection
from agent_service.mcp.port import Limits, Stdio, StreamableHttp
from servers import read_body

SCRIPT = Path(__file__).with_name("hostile_mcp.py")


LIMITS = Limits(
    answer_bytes_max=2_000_000,
    result_chars_max=2_000,
    files_max=3,
    file_bytes_max=1_000,
    tools_max=128,
    calls_max=8,
    idle_s=60,
)


Connect = Callable[..., Connection]


def program(mode: str = "plain", *arguments: object, **env: str) -> Stdio:
    return Stdio(sys.executable, ("-I", "-S", str(SCRIPT), mode, *map(str, arguments)), env)


async def tool(connection: Connection, name: str) -> CatalogueEntry:
    return next(entry for entry in await connection.catalogue() if entry.remote_name == name)


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pids(notes: Path) -> list[int]:
    return [int(line.split()[1]) for line in notes.read_text().splitlines() if line.startswith("pid ")]


Reply = Callable[[dict[str, Any], Mapping[str, str], Any], Awaitable[None]]


class WebServer:
    """An MCP server over HTTP whose answer to each method a test can replace."""

    def __init__(self, **replies: Reply) -> None:
        self.replies = replies
        self.seen: list[tuple[str, str, Mapping[str, str]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await read_body(receive)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        request = json.loads(body) if body else {}
        method = request.get("method", scope["method"])
        self.seen.append((method, scope["path"], headers))
        custom = self.replies.get(method.replace("/", "_"))
        if custom is not None:
            await custom(request, headers, send)
        elif "id" not in request:
            await respond(send, 202, b"")
        else:
            await reply(request, send)


async def reply(request: dict[str, Any], send: Any, **result: Any) -> None:
    standard: dict[str, Any] = {
        "initialize": {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "w", "version": "1"},
        },
        "tools/list": {"tools": [{"name": "t", "inputSchema": {"type": "object"}}]},
        "tools/call": {"content": [{"type": "text", "text": "fine"}]},
    }
    if request["method"] not in standard:
        body = {
            "jsonrpc": "2.0",
            "id": request["id"],
            "error": {"code": -32601, "message": "Method not found"},
        }
    else:
        body = {"jsonrpc": "2.0", "id": request["id"], "result": result or standard[request["method"]]}
    more = {"mcp-session-id": "s1"} if request["method"] == "initialize" else {}
    await respond(send, 200, json.dumps(body).encode(), **more)


async def respond(
    send: Any, status: int, body: bytes, content_type: str = "application/json", **headers: str
) -> None:
    raw = [
        (b"content-type", content_type.encode()),
        *((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def http_target(base_url: str, **headers: str) -> StreamableHttp:
    return StreamableHttp(f"{base_url}/mcp", headers, private_allowed=True)
