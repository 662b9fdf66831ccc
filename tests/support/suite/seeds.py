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
        tag = {
            "name": OLLAMA_MODEL,
            "model": OLLAMA_MODEL,
            "digest": "d1",
            "size": 1,
            "modified_at": "2026-01-01T00:00:00Z",
            "details": {},
        }
        self._answer({"models": [tag]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/api/show":
            self._answer(
                {
                    "capabilities": ["completion"],
                    "model_info": {"general.architecture": "llama", "llama.context_length": 8192},
                }
            )
        else:
            self._chat(stream=body["stream"])

    def _chat(self, *, stream: bool) -> None:
        """Ollama's own format: one object, or one on each line."""
        done = {"done": True, "done_reason": "stop", "prompt_eval_count": 4, "eval_count": 2}
        spoken = {
            "model": OLLAMA_MODEL,
            "message": {"role": "assistant", "content": "hello you"},
            "done": False,
        }
        if not stream:
            self._answer({**spoken, **done})
            return
        self.send_response(200)
        self.send_header("content-type", "application/x-ndjson")
        self.send_header("connection", "close")
        self.end_headers()
        for line in (spoken, {**spoken, "message": {"role": "assistant", "content": ""}, **done}):
            self.wfile.write(json.dumps(line).encode() + b"\n")
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
