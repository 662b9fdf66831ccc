"""Documents, agents and code in a real browser, with the built-in model."""

from typing import Any

import pytest
from suite.browser import run_script
from suite.documents import HANDBOOK
from suite.pdf import pdf
from suite.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(300)]

STEPS = (
    "sign up",
    "a PDF is attached and indexed before the message goes",
    "the built-in model answers from it and the citation opens its page",
    "answer, sources and attachment are there after a reload",
    "a new agent is given the calculator",
    "the built-in model calls the calculator and says the result",
    "code runs and its plot is in the chat",
    "the files page lists it and the search bench says why",
    "a deleted file leaves the list",
    "the new pages fit a phone and the dark",
    "no script error and no violation of the content policy",
)


@pytest.fixture(scope="module")
def steps(request: pytest.FixtureRequest, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each step of the script said. One browser session for all of them."""
    folder = tmp_path_factory.mktemp("pictures")
    handbook = folder / "norrholm.pdf"
    handbook.write_bytes(pdf(HANDBOOK))
    publish = request.config.getoption("--update-screenshots")
    return run_script("documents.mjs", stack, folder, publish=publish, HANDBOOK=str(handbook))


@pytest.mark.parametrize("step", STEPS)
def test_in_the_browser(steps: dict[str, dict[str, Any]], step: str) -> None:
    assert step in steps, f"the script ended before this step; it did {list(steps)}"
    assert steps[step]["ok"], steps[step]["detail"]


def test_every_step_of_the_script_is_a_test(steps: dict[str, dict[str, Any]]) -> None:
    assert list(steps) == list(STEPS)
