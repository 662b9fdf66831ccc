"""Documents, agents, code and servers of tools in a real browser, with the built-in model."""

import shutil
from typing import Any

import mcp_servers
import pytest
from suite.browser import run_script
from suite.documents import HANDBOOK
from suite.pdf import pdf
from suite.people import Person
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
    "an administrator adds a server of tools, and a wrong name is told in words",
    "whom the administrator names is offered its tools",
    "a deleted server takes its tools along",
    "the new pages fit a phone and the dark",
    "no script error and no violation of the content policy",
)


@pytest.fixture(scope="module")
def steps(
    request: pytest.FixtureRequest, stack: Stack, admin: Person, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What each step of the script said. One browser session for all of them."""
    folder = tmp_path_factory.mktemp("pictures")
    handbook = folder / "norrholm.pdf"
    handbook.write_bytes(pdf(HANDBOOK))
    publish = request.config.getoption("--update-screenshots")
    if shutil.which("npm") is None:
        pytest.skip("npm is missing")
    with mcp_servers.everything_over_http() as url:
        values = {"HANDBOOK": str(handbook), "ADMIN_EMAIL": admin.email, "MCP_URL": url}
        return run_script("documents.mjs", stack, folder, publish=publish, **values)


@pytest.mark.parametrize("step", STEPS)
def test_in_the_browser(steps: dict[str, dict[str, Any]], step: str) -> None:
    assert step in steps, f"the script ended before this step; it did {list(steps)}"
    assert steps[step]["ok"], steps[step]["detail"]


def test_every_step_of_the_script_is_a_test(steps: dict[str, dict[str, Any]]) -> None:
    assert list(steps) == list(STEPS)
