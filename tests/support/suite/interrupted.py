"""A reply that streams while something is killed, and what must be true of it afterwards."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from suite.events import Event, text_after
from suite.people import Chat, Person
from suite.provider import Provider
from suite.stack import HOLD_TTL_S, Stack
from suite.waiting import slowness, until

JOURNALED_S = 0.2  # a shown token waits at most so long for its row, on a quiet machine
MARGIN_S = 6.0  # sweeper interval, restart of the sweeper's own process, load


@dataclass(slots=True)
class Interrupted:
    """What one reader saw of a reply around a kill."""

    person: Person
    chat: Chat
    marker: str
    reply_id: str
    seen: list[Event]
    killed_at_s: float
    killed_pid: int

    @property
    def shown(self) -> str:
        """What the page shows when the stream ends or breaks."""
        return text_after("", self.seen)

    def is_kept_in(self, content: str) -> bool:
        """Whether `content` begins with what was shown early enough before the kill to be on disk."""
        return content.startswith(self._shown_before(JOURNALED_S)) or content.startswith(
            self._shown_before(JOURNALED_S * slowness())
        )

    def _shown_before(self, kill_s: float) -> str:
        return text_after("", [event for event in self.seen if event.at_s < self.killed_at_s - kill_s])


def kill_during_reply(
    person: Person, kill: Callable[[], int], *, tokens: int, delay_ms: int = 50
) -> Interrupted:
    """Streams a reply, kills after some tokens, reads on until the stream ends or breaks."""
    chat, marker = person.chat("fake-slow"), Provider.marker()
    with chat.begin(f"{marker} !tokens={tokens} !delay_ms={delay_ms}") as running:
        running.until("delta", 24)
        killed_at_s = time.monotonic()
        pid = kill()
        with contextlib.suppress(httpx.HTTPError):  # the way to the reader may have died
            running.rest()
    reply_id = str(running.seen[0].data["reply_id"])
    return Interrupted(person, chat, marker, reply_id, running.seen, killed_at_s, pid)


def settled_reply(stack: Stack, broken: Interrupted) -> dict[str, Any]:
    """The reply once it has ended and its cost is known. Checks that nothing acknowledged is lost and
    everything is paid once.
    """
    reply = broken.chat.ended(broken.reply_id, within_s=25)
    assert broken.is_kept_in(reply["content"]), "an acknowledged token is gone"
    assert reply["content"].startswith(broken.shown) or broken.shown.startswith(reply["content"])
    ledger = stack.ledger
    until(
        lambda: not ledger.open_holds(broken.person.id),
        within_s=HOLD_TTL_S + MARGIN_S,
        what="every hold to end",
        every_s=0.2,
    )
    until(lambda: cost_of(broken) is not None, within_s=20, what="the cost of the reply", every_s=0.2)
    dispatches = len(stack.provider.requests_with(broken.marker))
    charged = [hold for hold in ledger.holds(broken.person.id) if hold["cost_nano"]]
    assert dispatches == len(charged) == 1
    assert ledger.assert_charged_once_each(broken.person.id) == cost_of(broken) > 0
    return broken.chat.message(broken.reply_id)


def cost_of(broken: Interrupted) -> Any:
    """What the reply says it cost, None while that is open."""
    return (broken.chat.message(broken.reply_id)["usage"] or {}).get("cost_nano")
