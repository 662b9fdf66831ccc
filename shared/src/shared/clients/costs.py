"""What a dispatch cost whose stream ended before the price was told."""

from uuid import UUID

from shared.clients.billing import BillingClient
from shared.clock import utc_now
from shared.contracts.billing import RecordedUsage
from shared.contracts.chat import MessageUsage
from shared.errors import AppError, NotFound
from shared.ids import made_at

_UNKNOWN_S = 60.0
_NOTHING = MessageUsage(prompt_tokens=0, completion_tokens=0, cost_nano=0)


async def cost_of(billing: BillingClient, dispatch_id: str) -> MessageUsage | None:
    """What the dispatch took; None while billing has not settled it or does not answer.

    The id is noted before the call leaves: one that billing does not know after a while never became a
    dispatch.
    """
    try:
        usage = RecordedUsage.model_validate(await billing.usage(UUID(dispatch_id)))
    except NotFound:
        return _NOTHING if _is_old(UUID(dispatch_id)) else None
    except (AppError, ValueError):
        return None
    if usage.state == "held":
        return None
    return MessageUsage(
        prompt_tokens=usage.input_tokens, completion_tokens=usage.output_tokens, cost_nano=usage.cost_nano
    )


def _is_old(dispatch_id: UUID) -> bool:
    """Whether billing would know of it by now."""
    return dispatch_id.version == 7 and (utc_now() - made_at(dispatch_id)).total_seconds() > _UNKNOWN_S
