"""Scripts that drive a real browser: Debian's Chromium, and what each step of a script said."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from suite.people import PASSWORD
from suite.stack import Stack

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = ROOT / "tests" / "e2e" / "browser"
_SCRIPT_S = 280


def run_script(
    name: str, stack: Stack, pictures: Path, *, publish: bool, **values: str
) -> dict[str, dict[str, Any]]:
    """What each step of a script said, by its name. Skips, or fails when ATRIUM_REQUIRE says so, where a tool
    is missing.
    """
    require_tools()
    stack.wait_model()
    command = ["node", str(SCRIPTS / name)]
    environment = _environment(stack, pictures, values)
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_SCRIPT_S, check=False
        )
    except subprocess.TimeoutExpired as late:
        said = (late.stdout or b"").decode(errors="replace")
        pytest.fail(f"{name} was not done within {_SCRIPT_S} s; it said\n{said[-4000:]}")
    assert done.returncode == 0, done.stderr[-2000:]
    if publish:
        _publish(pictures)
    return {said["step"]: said for said in map(json.loads, done.stdout.splitlines())}


def require_tools() -> None:
    """Skips, or fails when ATRIUM_REQUIRE says so, where a tool is missing."""
    missing = _missing_tool()
    if missing is not None:
        if "browser" in os.environ.get("ATRIUM_REQUIRE", "").replace(";", ",").split(","):
            pytest.fail(f"ATRIUM_REQUIRE names browser, and {missing}")
        pytest.skip(missing)


def _environment(stack: Stack, pictures: Path, values: Mapping[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        "ATRIUM_URL": stack.gateway_url,
        "WEB_DIR": str(ROOT / "web"),
        "OUT_DIR": str(pictures),
        "CHROMIUM": chromium() or "",
        "PASSWORD": PASSWORD,
        "BUILTIN_MODEL": stack.model_id,
        **values,
    }


def _missing_tool() -> str | None:
    """What this machine lacks for a browser test, None when nothing."""
    if chromium() is None:
        return "Chromium is missing (apt-get install chromium, or set CHROMIUM)"
    if shutil.which("node") is None:
        return "node is missing"
    if not (ROOT / "web" / "node_modules" / "playwright-core").is_dir():
        return "web/node_modules is missing (`make web`)"
    if not (ROOT / "web" / "build" / "index.html").is_file():
        return "the web client is not built (`make web`)"
    return None


def chromium() -> str | None:
    """Where Chromium is; None without one."""
    return (
        os.environ.get("CHROMIUM")
        or shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )


def _publish(pictures: Path) -> None:
    folder = ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for picture in sorted(pictures.glob("*.png")):
        if not picture.name.startswith("failed-"):
            shutil.copyfile(picture, folder / picture.name)
