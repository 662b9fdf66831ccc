"""What is beside a message that is being written, in a real browser: it neither sends it nor gets lost."""

from typing import Any

import pytest
from suite.browser import run_script
from suite.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(300)]

STEPS = (
    "sign up",
    "Enter in what is chosen beside a message does not send it",
    "what is ticked stays ticked while something else is looked for, and every file can be found",
    "a dialog whose program did not load once opens the next time",
    "a click on the chat one is in leaves it there, though its first message was refused",
    "what was refused and what still uploads wait in the next new chat, below what was typed there",
    "a chat whose first message met a fault of the server stays",
    "no script error and no violation of the content policy",
)


@pytest.fixture(scope="module")
def steps(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each step of the script said. One browser session for all of them."""
    return run_script("composing.mjs", stack, tmp_path_factory.mktemp("pictures"), publish=False)


@pytest.mark.parametrize("step", STEPS)
def test_in_the_browser(steps: dict[str, dict[str, Any]], step: str) -> None:
    assert step in steps, f"the script ended before this step; it did {list(steps)}"
    assert steps[step]["ok"], steps[step]["detail"]


def test_every_step_of_the_script_is_a_test(steps: dict[str, dict[str, Any]]) -> None:
    assert list(steps) == list(STEPS)
