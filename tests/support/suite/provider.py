"""The scripted provider as a process of its own, and what it saw."""

import secrets
import subprocess
import sys
from typing import Any

import httpx

from suite.ports import free_port

START_S = 15


class Provider:
    """One scripted OpenAI-compatible server. A directive such as "!tokens=20 !delay_ms=50" in the message
    chooses its answer.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[str] | None = None

    @property
    def base_url(self) -> str:
        """What OPENAI_API_BASE_URLS names."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Start it; on the same port each time."""
        command = [sys.executable, "-m", "fake_provider", "--port", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == self.base_url

    def stop(self) -> None:
        """End it at once: from now on nothing answers on its port."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    @staticmethod
    def marker() -> str:
        """A word by which one test finds its own requests."""
        return f"mark-{secrets.token_hex(6)}"

    def _read(self, path: str) -> Any:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", trust_env=False, timeout=60).json()

    def requests_with(self, marker: str) -> list[dict[str, Any]]:
        """The dispatches whose body mentions `marker`, oldest first."""
        return [
            each
            for each in self._read("/_requests")
            if each["method"] == "POST" and marker in str(each["body"])
        ]

    def counts(self) -> dict[str, Any]:
        """Dispatches, completed, cancelled, running and by_model."""
        counts: dict[str, Any] = self._read("/_dispatches")
        return counts
