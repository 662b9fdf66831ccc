"""Why a usage call is refused."""

from shared.errors import Forbidden, Invalid


class UsageNotYours(Forbidden):
    code, title = "usage_not_yours", "Only your own usage"


class UsageQueryTooWide(Invalid):
    code, title = "usage_query_too_wide", "The question is too wide"


class UsageQueryInvalid(Invalid):
    code, title = "usage_query_invalid", "The question cannot be answered"
