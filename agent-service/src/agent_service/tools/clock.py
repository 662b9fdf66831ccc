"""The tool `datetime`."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from shared.clock import utc_now

from agent_service.tools.port import ToolContext, ToolResult

_ZONE = re.compile(r"[A-Za-z0-9_+\-/]{1,64}")
_OFFSET = re.compile(r"([+-]?)\s*(\d{1,6})\s*(minute|hour|day|week)s?", re.IGNORECASE)
_SUGGESTIONS_MAX = 5


class DateTime:
    """Says what time it is, somewhere, now or a while from now."""

    name = "datetime"
    title = "Date and time"
    description = (
        "Tell the current date, weekday and time, in a time zone when one is given. Use it whenever "
        "today's date matters."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "timezone": {
                "type": "string",
                "maxLength": 64,
                "description": "IANA name such as Europe/Berlin; UTC when left out",
            },
            "offset": {
                "type": "string",
                "maxLength": 40,
                "description": "time to add, such as 3 days or -2 hours; now when left out",
            },
        },
        "required": [],
        "additionalProperties": False,
    }
    source = "built-in"
    timeout_s = 5.0
    repeatable = True
    needs_approval = False

    async def call(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """One line: weekday, date, time, zone and the same in ISO 8601."""
        asked, offset = str(arguments.get("timezone", "")).strip(), str(arguments.get("offset", "")).strip()
        zone = find_zone(asked)
        if zone is None:
            return ToolResult(_unknown(asked), failed=True)
        added = _added(offset)
        if added is None:
            return ToolResult(
                "The offset is not understood. Write a number and minutes, hours, days or weeks: 3 days, -2 "
                "hours.",
                failed=True,
            )
        try:
            return ToolResult(describe((utc_now() + added).astimezone(zone), asked or "UTC"))
        except OverflowError:
            return ToolResult("The offset leads out of the calendar. Ask for a smaller one.", failed=True)


def describe(moment: datetime, zone_name: str) -> str:
    """For example `Sunday, 22 November 2026, 14:05:09 (Europe/Berlin, UTC+01:00); ISO
    2026-11-22T14:05:09+01:00, week 47`.
    """
    offset = moment.strftime("%z")
    return (
        f"{moment:%A}, {moment.day} {moment:%B} {moment.year}, {moment:%H:%M:%S} ({zone_name}, "
        f"UTC{offset[:3]}:{offset[3:5]});"
        f" ISO {moment.isoformat(timespec='seconds')}, week {moment.isocalendar().week}"
    )


def find_zone(name: str) -> tzinfo | None:
    """The zone of that name, whatever its case; None when there is none. No name is UTC."""
    if not name or name.upper() in {"UTC", "Z", "GMT"}:
        return UTC
    known = _zones().get(name.replace(" ", "_").casefold())
    if known is None or not _ZONE.fullmatch(known):
        return None
    try:
        return ZoneInfo(known)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@cache
def _zones() -> Mapping[str, str]:
    return {name.casefold(): name for name in available_timezones()}


def _unknown(name: str) -> str:
    """What to say about an unknown zone: those whose last part is alike, if any."""
    wanted = name.replace(" ", "_").casefold().rpartition("/")[2]
    alike = sorted(
        zone for folded, zone in _zones().items() if wanted and folded.rpartition("/")[2] == wanted
    )
    hint = (
        f" Did you mean {' or '.join(alike[:_SUGGESTIONS_MAX])}?"
        if alike
        else " Use an IANA name such as Europe/Berlin or Asia/Tokyo."
    )
    return f"There is no time zone {name[:64]!r}.{hint}"


def _added(offset: str) -> timedelta | None:
    if not offset:
        return timedelta()
    found = _OFFSET.fullmatch(offset)
    if found is None:
        return None
    sign, count, unit = found.groups()
    return (-1 if sign == "-" else 1) * timedelta(**{f"{unit.lower()}s": int(count)})
