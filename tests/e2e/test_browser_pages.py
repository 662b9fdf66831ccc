"""What the pages of the web client say where something is missing, long, refused or gone, in a real
browser.
"""

from typing import Any

import pytest
from suite.browser import run_script
from suite.people import Person
from suite.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(300)]

STEPS = (
    "sign up",
    "own code is shown as code, and a long message is folded",
    "each chat is one stop of Tab, and its menu is to the right",
    "a long list of models is walked with the keyboard",
    "a file that is there already is attached to another message, and the same one only once",
    "a first message that is refused leaves no empty chat, and its text is there",
    "an address without a page says so, and the navigation stays",
    "without a connection a page says so, the navigation stays, and the page can be asked for again",
    "the name of the installation is on the page, and its title",
    "who left on purpose is asked for no session at the next visit",
    "before sign-in little of the program is loaded, and it speaks German",
    "an administrator deletes a person, having typed their address",
    "no script error and no violation of the content policy",
)


@pytest.fixture(scope="module")
def steps(
    running: Stack, admin: Person, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What each step of the script said. One browser session for all of them."""
    gone = Person.sign_up(running.gateway_url, name="Gustav Gone")
    return run_script(
        "pages.mjs",
        running,
        tmp_path_factory.mktemp("pictures"),
        publish=False,
        ADMIN_EMAIL=admin.email,
        GONE_EMAIL=gone.email,
        UNPRICED_MODEL=running.unpriced_model,
    )


@pytest.mark.parametrize("step", STEPS)
def test_in_the_browser(steps: dict[str, dict[str, Any]], step: str) -> None:
    assert step in steps, f"the script ended before this step; it did {list(steps)}"
    assert steps[step]["ok"], steps[step]["detail"]


def test_every_step_of_the_script_is_a_test(steps: dict[str, dict[str, Any]]) -> None:
    assert list(steps) == list(STEPS)
