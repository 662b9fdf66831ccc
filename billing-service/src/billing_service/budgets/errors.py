"""Why a budget call is refused."""

from shared.errors import Conflict, Invalid, NotFound


class BudgetUnknown(NotFound):
    code, title = "budget_unknown", "There is no such budget"


class BudgetIsDefault(Conflict):
    code, title = "budget_is_default", "This is the default budget"


class LimitNotUsable(Invalid):
    code, title = "limit_not_usable", "The limit cannot be used"
