"""The whole thread in a real browser: Debian's Chromium drives the web client that the gateway serves."""

from typing import Any

import pytest
from suite.browser import run_script
from suite.people import Person
from suite.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(300)]

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


@pytest.fixture(scope="module")
def steps(
    request: pytest.FixtureRequest, running: Stack, admin: Person, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What each step of the script said. One browser session for all of them."""
    return run_script(
        "thread.mjs",
        running,
        tmp_path_factory.mktemp("pictures"),
        publish=request.config.getoption("--update-screenshots"),
        ADMIN_EMAIL=admin.email,
        UNPRICED_MODEL=running.unpriced_model,
    )


@pytest.mark.parametrize("step", STEPS)
def test_in_the_browser(steps: dict[str, dict[str, Any]], step: str) -> None:
    assert step in steps, f"the script ended before this step; it did {list(steps)}"
    assert steps[step]["ok"], steps[step]["detail"]


def test_every_step_of_the_script_is_a_test(steps: dict[str, dict[str, Any]]) -> None:
    assert list(steps) == list(STEPS)
