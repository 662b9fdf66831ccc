"""Why a call of usage tracking is refused."""

from shared.errors import Conflict, Invalid, NotFound, PaymentRequired


class OrganisationUnknown(NotFound):
    code, title = "organisation_unknown", "No such organisation"


class RecordConflicts(Conflict):
    code, title = "transaction_id_reused", "This transaction was recorded with other figures"


class WalletTooSmall(PaymentRequired):
    code, title = "insufficient_credits", "The wallet cannot pay"


class AmountUnusable(Invalid):
    code, title = "amount_unusable", "The cost cannot be used"


class SyncOff(Conflict):
    code, title = "sync_off", "The synchronisation is off"
