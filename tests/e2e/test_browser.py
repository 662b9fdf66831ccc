"""The whole thread in a real browser: Debian's Chromium drives the web client that the gateway serves."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from suite.people import PASSWORD, Person
from suite.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("browser") / "thread.mjs"
STEPS = (
    "sign up",
    "the answer streams into the page",
    "the cost is under the reply and what is left in the composer",
    "a reload in the middle of a reply resumes it",
    "stop keeps what came",
    "regenerate adds a version and both can be read",
    "editing a question starts another branch",
    "a refusal is shown where the reply would be with what to do",
    "the built-in model answers",
    "the usage page shows the total and a chart",
    "a new key is shown once",
    "dark mode is dark and light mode is light",
    "nothing scrolls sideways on a phone",
    "an administrator tops up the wallet",
    "the pages of administration work",
    "no script error and no violation of the content policy",
)


def missing_tool() -> str | None:
    """What this machine lacks for a browser test, None when nothing."""
    if _chromium() is None:
        return "Chromium is missing (apt-get install chromium, or set CHROMIUM)"
    if shutil.which("node") is None:
        return "node is missing"
    if not (ROOT / "web" / "node_modules" / "playwright-core").is_dir():
        return "web/node_modules is missing (`make web`)"
    if not (ROOT / "web" / "build" / "index.html").is_file():
        return "the web client is not built (`make web`)"
    return None


def _chromium() -> str | None:
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def steps(
    request: pytest.FixtureRequest, running: Stack, admin: Person, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What each step of the script said. One browser session for all of them."""
    missing = missing_tool()
    if missing is not None:
        if "browser" in os.environ.get("ATRIUM_REQUIRE", "").replace(";", ",").split(","):
            pytest.fail(f"ATRIUM_REQUIRE names browser, and {missing}")
        pytest.skip(missing)
    running.wait_model()
    pictures = tmp_path_factory.mktemp("pictures")
    environment = {
        **os.environ,
        "ATRIUM_URL": running.gateway_url,
        "WEB_DIR": str(ROOT / "web"),
        "OUT_DIR": str(pictures),
        "CHROMIUM": _chromium() or "",
        "ADMIN_EMAIL": admin.email,
        "PASSWORD": PASSWORD,
        "BUILTIN_MODEL": running.model_id,
        "UNPRICED_MODEL": running.unpriced_model,
    }
    done = subprocess.run(["node", str(SCRIPT)], env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    if request.config.getoption("--update-screenshots"):
        _publish(pictures)
    return {said["step"]: said for said in map(json.loads, done.stdout.splitlines())}


def _publish(pictures: Path) -> None:
    folder = ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for picture in sorted(pictures.glob("*.png")):
        if not picture.name.startswith("failed-"):
            shutil.copyfile(picture, folder / picture.name)


@pytest.mark.parametrize("step", STEPS)
def test_in_the_browser(steps: dict[str, dict[str, Any]], step: str) -> None:
    assert step in steps, f"the script ended before this step; it did {list(steps)}"
    assert steps[step]["ok"], steps[step]["detail"]


def test_every_step_of_the_script_is_a_test(steps: dict[str, dict[str, Any]]) -> None:
    assert list(steps) == list(STEPS)
