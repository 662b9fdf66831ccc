"""A platform that is told nothing but the words of a document, and an Ollama server beside it."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from atrium_local.stack import Stack

OLLAMA_MODEL = "llama3.2:1b"
_SIGNUP = {"PASSWORD_HASH_TIME_COST": "1", "PASSWORD_HASH_MEMORY_KIB": "1024"}
_USAGE = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}


class SeedStack(Stack):
    """The platform with these variables, and beyond them only ports, a folder and cheap passwords."""

    def __init__(self, home: Path, block: Mapping[str, str], *, port: int | None = None) -> None:
        home.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(home, env={**_SIGNUP, **block})
        if port is not None:  # by PORT, the document's own word
            self.ports["gateway"] = port
            self.environment.pop("GATEWAY_PORT")


@contextmanager
def ollama() -> Iterator[str]:
    """A server with one chat model of the documented shape; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Ollama)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Ollama(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        tag = {"name": OLLAMA_MODEL, "model": OLLAMA_MODEL, "digest": "d1", "size": 1, "modified_at": "2026-01-01T00:00:00Z", "details": {}}
        self._answer({"models": [tag]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/api/show":
            self._answer({"capabilities": ["completion"], "model_info": {"general.architecture": "llama", "llama.context_length": 8192}})
        elif body.get("stream"):
            self._stream()
        else:
            self._answer(_chunk({"message": {"role": "assistant", "content": "hello you"}, "finish_reason": "stop"}, usage=_USAGE))

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for chunk in (_chunk({"delta": {"content": "hello you"}}), _chunk({"delta": {}, "finish_reason": "stop"}, usage=_USAGE)):
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _answer(self, body: Any) -> None:
        raw = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def _chunk(choice: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {
        "id": "x",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": OLLAMA_MODEL,
        "choices": [{"index": 0, **choice}],
        **members,
    }
