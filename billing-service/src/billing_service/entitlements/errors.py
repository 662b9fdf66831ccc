"""The refusals of the money path: each says which limit, what is left, when it resets and what to do."""

from shared.contracts.billing import UNDECIDED
from shared.errors import Conflict, Forbidden, NotFound, PaymentRequired, TooManyRequests, Unavailable


class InsufficientCredits(PaymentRequired):
    code, title = "insufficient_credits", "The wallet is too low"


class PriceUnknown(PaymentRequired):
    code, title = "price_unknown", "The model has no price"


class BudgetExceeded(TooManyRequests):
    code, title = "budget_exceeded", "The budget is used up"


class ModelNotAllowed(Forbidden):
    code, title = "model_not_allowed", "The model is not allowed here"


class RequestIdReused(Conflict):
    code, title = "request_id_reused", "The request id was used before"


class HoldEnded(Conflict):
    code, title = "hold_ended", "The hold has ended"


class HoldUnknown(NotFound):
    code, title = "hold_unknown", "There is no such hold"


class Undecided(Unavailable):
    """An entry of a batch that took too long for its neighbours; it may be decided all the same."""

    code, title = UNDECIDED, "Not decided yet"

    def __init__(self) -> None:
        super().__init__("this call is not decided yet; repeat it alone")
