"""The cursor of this service's lists: ids are UUIDs, newest first."""

from collections.abc import Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from pydantic import BaseModel
from shared.errors import Invalid
from shared.pagination import Page

M = TypeVar("M", bound=BaseModel)


class HasId(Protocol):
    """A row that a list can go on from."""

    @property
    def id(self) -> UUID: ...


def cursor(after: str | None) -> UUID | None:
    """Raises: Invalid when `after` is not an id this service gave out."""
    if after is None:
        return None
    try:
        return UUID(after)
    except ValueError:
        raise Invalid("after must be the last_id of the page before") from None


def page_of(rows: Sequence[HasId], views: list[M], *, limit: int) -> Page[M]:
    """A page from one row more than was asked for."""
    shown = views[:limit]
    return Page(data=shown, has_more=len(rows) > limit, last_id=str(rows[len(shown) - 1].id) if shown else None)
