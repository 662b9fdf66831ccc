"""Why a price cannot be set."""

from shared.errors import Conflict, Invalid


class PriceInThePast(Invalid):
    code, title = "price_in_the_past", "A price cannot begin in the past"


class PriceIncomplete(Invalid):
    code, title = "price_incomplete", "The price is incomplete"


class PriceAlreadyPlanned(Conflict):
    code, title = "price_already_planned", "A price already begins then"
