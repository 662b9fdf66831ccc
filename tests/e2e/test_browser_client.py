"""What a person relies on in the web client, in a real browser: nothing written is lost or shown to the next
person,
long chats can be read."""

from typing import Any

import pytest
from suite.browser import run_script
from suite.people import Person
from suite.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(300)]

LONG_TURNS = 350
STEPS = (
    "sign up",
    "lists keep their numbers and tasks are named checkboxes",
    "no address but a web address or a mail address is a link",
    "a reply cut by its length looks cut, after a reload too, and goes on",
    "what the model thought stays with the reply, folded",
    "what the model did not see is said, and how a reply ended",
    "the program comes compressed, and not much of it",
    "a reload before the chat exists loses no first message",
    "a reload after the chat was made and before anybody heard of it makes no second one",
    "a reload before the message arrives loses nothing",
    "a message that arrived before the reload is not sent twice",
    "a reload right after a further message loses nothing",
    "leaving for another page at once sends it all the same",
    "the first question waits for one answer only",
    "a text that is too long is kept whole and said to be too long",
    "a new name of a chat reaches its open page, and a suggestion leaves what was typed",
    "who waits for approval gets in once let in",
    "nothing of a person is left for the next one",
    "a session that ends by itself leaves its page to its person only",
    "a long chat is read to its first message, in its order",
    "and back to its last",
    "what is read stays where it is while older messages come in",
    "earlier messages that do not load can be asked for again",
    "no script error and no violation of the content policy",
)


@pytest.fixture(scope="module")
def steps(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each step of the script said. One browser session for all of them, and one chat of many turns of
    different lengths.
    """
    owner = Person.sign_up(stack.gateway_url, name="Lena Long")
    chat = owner.chat("fake-echo")
    for number in range(1, LONG_TURNS + 1):
        chat.post(f"question {number}. " + "word " * (number * 37 % 90))
    return run_script(
        "client.mjs",
        stack,
        tmp_path_factory.mktemp("pictures"),
        publish=False,
        LONG_EMAIL=owner.email,
        LONG_CHAT=chat.id,
        LONG_TURNS=str(LONG_TURNS),
    )


@pytest.mark.parametrize("step", STEPS)
def test_in_the_browser(steps: dict[str, dict[str, Any]], step: str) -> None:
    assert step in steps, f"the script ended before this step; it did {list(steps)}"
    assert steps[step]["ok"], steps[step]["detail"]


def test_every_step_of_the_script_is_a_test(steps: dict[str, dict[str, Any]]) -> None:
    assert list(steps) == list(STEPS)
