"""Who may see which usage, and over which days."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal, cast, get_args
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.clock import utc_now
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.usage import repository
from billing_service.usage.errors import UsageNotYours, UsageQueryInvalid, UsageQueryTooWide
from billing_service.usage.models import UTC, Grouping
from billing_service.usage.schemas import UsageReport, UsageTotal

DAYS_MAX = 400
DAYS_DEFAULT = 30
DAYS_OF_A_ZONE_MAX = 92
"""Days of a time zone other than UTC are added up from single events, so fewer of them are read at once."""
GROUPS_MAX = 10_000
_INVALID_PARAMETER_VALUE = "22023"

Whose = Literal["own", "organisation"]


def visible_user(principal: Principal, whose: Whose) -> UUID | None:
    """The one user whose usage may be read, or None for the whole organisation. Raises: UsageNotYours."""
    if whose == "own":
        return principal.actor_id
    if not principal.allows(Permission.USAGE_READ_ALL):
        raise UsageNotYours(
            "the organisation's usage needs the permission usage:read_all; leave out scope=organisation to "
            "see your own"
        )
    return None


def groupings(value: str | None) -> list[Grouping]:
    """The members of `group_by=day,model`. Raises: UsageQueryInvalid."""
    names = [name for name in (value or "").split(",") if name]
    known = get_args(Grouping)
    unknown = [name for name in names if name not in known]
    if unknown or len(set(names)) != len(names):
        raise UsageQueryInvalid(f"group_by takes each of {', '.join(known)} once, separated by commas")
    return cast("list[Grouping]", names)


def zone(name: str) -> ZoneInfo:
    """The time zone of this name in the IANA list. Raises: UsageQueryInvalid."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _no_zone(name) from None


def _no_zone(name: str) -> UsageQueryInvalid:
    return UsageQueryInvalid(f"tz must be the name of a time zone such as Europe/Berlin, not {name[:80]!r}")


def days(first: date | None, last: date | None, tz: ZoneInfo) -> tuple[date, date]:
    """The asked days of the zone, by default the last 30. Raises: UsageQueryInvalid, UsageQueryTooWide."""
    end = last or utc_now().astimezone(tz).date()
    days_max = DAYS_MAX if tz.key == UTC else DAYS_OF_A_ZONE_MAX
    begin = first or end - min(timedelta(days=DAYS_DEFAULT - 1), end - date.min)
    if begin > end:
        raise UsageQueryInvalid("from must not be after to")
    if (end - begin).days >= days_max:
        raise UsageQueryTooWide(f"at most {days_max} days at once; move from closer to to")
    return begin, end


async def report(
    session: AsyncSession,
    principal: Principal,
    *,
    whose: Whose,
    first: date | None,
    last: date | None,
    tz: str,
    group_by: Sequence[Grouping],
) -> UsageReport:
    """Sums by group and the total of all. Raises: UsageNotYours, UsageQueryInvalid, UsageQueryTooWide."""
    user_id = visible_user(principal, whose)
    begin, end = days(first, last, zone(tz))
    organisation_id = principal.organisation_id
    try:
        sums = await repository.sums(
            session, organisation_id, user_id=user_id, first=begin, last=end, tz=tz, group_by=(), rows_max=1
        )
    except DBAPIError as error:
        # Python's list of zones is not quite the database's.
        if getattr(error.orig, "sqlstate", None) != _INVALID_PARAMETER_VALUE:
            raise
        raise _no_zone(tz) from None
    total = UsageTotal.model_validate(sums[0], from_attributes=True)
    if not group_by:
        return UsageReport(data=sums, total=total)
    groups = await repository.sums(
        session,
        organisation_id,
        user_id=user_id,
        first=begin,
        last=end,
        tz=tz,
        group_by=group_by,
        rows_max=GROUPS_MAX + 1,
    )
    if len(groups) > GROUPS_MAX:
        raise UsageQueryTooWide(f"more than {GROUPS_MAX} groups; ask for fewer days or group by less")
    return UsageReport(data=groups, total=total)
