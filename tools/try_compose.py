"""`make test-compose`: bring deployments/docker-compose.yml up in a project of its own, use it, take it down.

A person signs up, has a file read and searches it, and has code run; a program asks the built-in model with
an API key and is told what it cost, unless --without-model says that there is none.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from atrium_local.container_secrets import complete_file
from atrium_local.dotenv import read_dotenv
from shared.ids import random_secret
from shared.settings import environment

DEPLOYMENTS = Path(__file__).parent.parent / "deployments"
_PROJECT = "atrium-try"
_READY_MAX_S = 300
_MODEL_MAX_S = 1200
_LOOK_S = 2


class NotWorkingError(Exception):
    """Something did not answer as it should."""


class Suite:
    """The running project."""

    def __init__(self, env_file: Path, port: int, files: list[Path]) -> None:
        self.env_file = env_file
        self.port = port
        self._files = files

    def compose(self, *arguments: str) -> int:
        """Run `docker compose` on the project; its exit status."""
        command = ["docker", "compose", "-p", _PROJECT, "--env-file", str(self.env_file)]
        for file in self._files:
            command += ["-f", str(file)]
        variables = {**environment(), "GATEWAY_ADDRESS": "127.0.0.1", "GATEWAY_PORT": str(self.port)}
        return subprocess.run([*command, *arguments], env=variables, check=False).returncode

    def use(self, *, with_model: bool) -> None:
        """What a person and a program do first. Raises: NotWorkingError."""
        token = read_dotenv(self.env_file)["SETUP_TOKEN"]
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60, trust_env=False) as http:
            _until(lambda: _answers(http, "/readyz"), within_s=_READY_MAX_S, what="the gateway")
            person = {"name": "Ada", "email": "ada@example.com", "password": random_secret()}
            signed_in = _made(http.post("/api/v1/auth/signup", json={**person, "setup_token": token}))
            http.headers["authorization"] = f"Bearer {signed_in['access_token']}"
            _until(lambda: _status_is_ok(http), within_s=_READY_MAX_S, what="every service")
            _read_and_search(http)
            _run_code(http)
            key = _made(http.post("/api/v1/auth/api-keys", json={"name": "try"}))["key"]
            http.headers["authorization"] = f"Bearer {key}"
            for path in ("/v1/models", "/"):
                if (answer := http.get(path)).status_code != 200:
                    raise NotWorkingError(f"GET {path}: {answer.status_code} {answer.text[:300]}")
            print("a key works, the web client is there", flush=True)
            if with_model:
                _until(lambda: _asked(http), within_s=_MODEL_MAX_S, what="the built-in model")


def _answers(http: httpx.Client, path: str) -> bool:
    try:
        return http.get(path).status_code == 200
    except httpx.TransportError:
        return False


def _status_is_ok(http: httpx.Client) -> bool:
    answer = http.get("/api/v1/status")
    ok = answer.status_code == 200 and answer.json()["status"] == "ok"
    print("every service answers" if ok else answer.text[:600], flush=True)
    return ok


def _read_and_search(http: httpx.Client) -> None:
    file = {"file": ("lamp.txt", b"The lamp of Norrholm turns once every nine seconds.", "text/plain")}
    path = f"/api/v1/retrieval/files/{_made(http.post('/api/v1/retrieval/files', files=file))['document_id']}"
    ended = {"ready", "failed", "cancelled"}
    _until(lambda: http.get(path).json()["stage"] in ended, within_s=_READY_MAX_S, what="the ingestion")
    answer = http.post("/api/v1/retrieval/search", json={"query": "How often does the lamp turn?"})
    if "nine seconds" not in answer.text:
        raise NotWorkingError(f"a search found {answer.text[:300]}; the file: {http.get(path).text[:600]}")
    print("a file was read and found", flush=True)


def _run_code(http: httpx.Client) -> None:
    """Code runs confined, or is refused with the reason."""
    code = (
        "import matplotlib.pyplot as plt, numpy\nplt.plot(numpy.arange(9))\nplt.savefig('a.png')\nprint(6*7)"
    )
    answer = http.post("/api/v1/agents/code/execute", json={"code": code}, timeout=_READY_MAX_S)
    refused = answer.status_code == 503 and answer.json().get("code") == "code_unavailable"
    if not refused and (answer.status_code != 200 or answer.json()["stdout"].strip() != "42"):
        raise NotWorkingError(f"code/execute: {answer.status_code} {answer.text[:600]}")
    print(f"code: {answer.json()['detail'] if refused else 'runs'}", flush=True)


def _asked(http: httpx.Client) -> bool:
    models = [model["id"] for model in http.get("/v1/models").json()["data"] if "minilm" not in model["id"]]
    if not models:
        return False
    message = {"role": "user", "content": "Say hello."}
    body = {"model": models[0], "messages": [message], "max_tokens": 20}
    answer = http.post("/v1/chat/completions", json=body)
    if answer.status_code != 200:
        return False
    print(f"{models[0]}: {answer.json()['choices'][0]['message']['content']!r}")
    print(f"it cost {answer.headers['x-atrium-cost-nano']} nano-USD")
    return True


def _made(answer: httpx.Response) -> dict[str, Any]:
    if answer.status_code != 201:
        raise NotWorkingError(f"{answer.request.url.path}: {answer.status_code} {answer.text[:300]}")
    return answer.json()


def _until(probe: Any, *, within_s: float, what: str) -> None:
    deadline = time.monotonic() + within_s
    while not probe():
        if time.monotonic() > deadline:
            raise NotWorkingError(f"{what} did not answer within {within_s:.0f} s")
        time.sleep(_LOOK_S)


def main() -> int:
    """Exit status 1 when something does not answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--with", dest="files", type=Path, action="append", default=[], help="a further file")
    parser.add_argument("--port", type=int, default=18000, help="port of this machine for the gateway")
    parser.add_argument("--without-model", action="store_true", help="ask no model")
    parser.add_argument("--services", nargs="*", default=[], help="bring up these and what they need")
    parser.add_argument("--keep", action="store_true", help="leave everything running")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        env_file = Path(folder) / ".env"
        complete_file(env_file)
        suite = Suite(env_file, arguments.port, [DEPLOYMENTS / "docker-compose.yml", *arguments.files])
        try:
            if suite.compose("up", "--detach", *arguments.services):
                return 1
            suite.use(with_model=not arguments.without_model)
        except NotWorkingError as error:
            print(error, file=sys.stderr)
            suite.compose("ps", "--all")
            suite.compose("logs", "--tail", "30")
            return 1
        finally:
            if not arguments.keep:
                suite.compose("down", "--volumes", "--timeout", "5")
    return 0


if __name__ == "__main__":
    sys.exit(main())
