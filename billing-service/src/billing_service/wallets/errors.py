"""Why a wallet call is refused."""

from shared.errors import Invalid, NotFound


class WalletUnknown(NotFound):
    code, title = "wallet_unknown", "There is no such wallet"


class AmountNotUsable(Invalid):
    code, title = "amount_not_usable", "The amount cannot be used"
