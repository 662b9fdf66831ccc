"""A service runs from a virtual environment that pip made out of its requirements.txt, without uv."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from atrium_local.services import SERVICES
from identities import KeyRing

ROOT = Path(__file__).parent.parent
SERVICE = "chat-service"
DEADLINE_S = 60


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of such an environment."""
    folder = tmp_path_factory.mktemp("plain") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    interpreter = folder / "bin" / "python"
    subprocess.run(
        [str(interpreter), "-m", "pip", "install", "-q", "--no-compile", "-r", "requirements.txt"],
        cwd=ROOT / SERVICE,
        check=True,
    )
    return interpreter


@pytest.mark.parametrize("folder", ["venv", ".venv"])
def test_an_environment_in_a_service_folder_is_no_part_of_the_clone(folder: str) -> None:
    """The documented way makes one there; git, and with it every check, must not see what pip puts
    into it.
    """
    for service in SERVICES:
        inside = f"{service.name}/{folder}/lib/python3.11/site-packages/other.py"
        assert subprocess.run(["git", "check-ignore", "-q", inside], cwd=ROOT, check=False).returncode == 0, (
            inside
        )


def environment(home: Path) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "SSL_CERT_FILE"}
    }
    return {**kept, "ATRIUM_HOME": str(home)}


@pytest.mark.timeout(300)
def test_without_its_engines_it_says_in_one_line_what_to_do(python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(python), "-m", "uvicorn", "app.main:app", "--port", "0"],
        cwd=ROOT / SERVICE,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 2
    [line] = done.stderr.strip().splitlines()
    assert "DATABASE_URL" in line
    assert "make deps" in line


@pytest.mark.timeout(300)
def test_with_its_settings_it_serves(
    python: Path, tmp_path: Path, service_database: Callable[[str], Any], unused_tcp_port: int
) -> None:
    keys = KeyRing().environment(SERVICE, database_url=service_database(SERVICE).app_url)
    service = subprocess.Popen(
        [str(python), "-m", "uvicorn", "app.main:app", "--port", str(unused_tcp_port)],
        cwd=ROOT / SERVICE,
        env=environment(tmp_path) | keys,
    )
    try:
        assert ready(f"http://127.0.0.1:{unused_tcp_port}/readyz")
    finally:
        service.terminate()
        # uvicorn ends its drain by raising the signal again.
        assert service.wait(timeout=DEADLINE_S) in {0, -signal.SIGTERM}


def ready(url: str) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=60).status_code == 200:
                return True
        except httpx.TransportError:
            time.sleep(0.1)
    return False
