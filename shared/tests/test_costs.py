"""What is said of a dispatch whose stream told no price."""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from shared.clients.billing import BillingUnavailable
from shared.clients.costs import cost_of
from shared.clock import utc_now
from shared.contracts.chat import MessageUsage
from shared.errors import NotFound
from shared.ids import made_at, uuid7

AN_OLD_ONE = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


def an_old_one() -> UUID:
    return AN_OLD_ONE


class Billing:
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    async def usage(self, request_id: UUID) -> dict[str, Any]:
        if isinstance(self._answer, Exception):
            raise self._answer
        return {
            "request_id": str(request_id),
            "cost_nano": 7,
            "input_tokens": 2,
            "output_tokens": 1,
            "state": self._answer,
        }


@pytest.mark.parametrize(
    ("answer", "new_id", "cost_nano"),
    [
        ("settled", uuid7, 7),
        ("expired", uuid7, 7),
        ("held", an_old_one, None),
        (NotFound("no"), uuid7, None),
        (NotFound("no"), an_old_one, 0),
        (NotFound("no"), uuid4, None),
        (BillingUnavailable("away"), an_old_one, None),
    ],
)
async def test_a_cost_is_known_once_billing_knows_it_or_must_know_it(
    answer: Any, new_id: Callable[[], UUID], cost_nano: int | None
) -> None:
    """The id is made here: one made when tests are collected is an old one by the time they run."""
    usage = await cost_of(cast("Any", Billing(answer)), str(new_id()))
    assert (None if usage is None else usage.cost_nano) == cost_nano
    assert usage is None or usage == MessageUsage(
        prompt_tokens=2 if cost_nano else 0, completion_tokens=1 if cost_nano else 0, cost_nano=cost_nano
    )


def test_an_id_tells_when_it_was_made() -> None:
    before = utc_now()
    assert abs((made_at(uuid7()) - before).total_seconds()) < 5
    assert made_at(AN_OLD_ONE).year == 2023
    with pytest.raises(ValueError, match="UUIDv7"):
        made_at(uuid4())
