"""The shape of every list, and its cursor."""

from collections.abc import Sequence
from typing import Annotated, Generic, Literal, Protocol, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from shared.errors import Invalid

LIMIT_MAX = 100

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="rows at most")]
After = Annotated[str | None, Query(max_length=64, description="id of the last row already seen")]


class CursorInvalid(Invalid):
    """`after` is not the id of a row."""

    code = "cursor_invalid"

    def __init__(self) -> None:
        super().__init__("`after` must be the last_id of the page before")


class HasId(Protocol):
    """A row that a list can continue from."""

    @property
    def id(self) -> UUID | str: ...


class Page(BaseModel, Generic[T]):
    """One page; ask for the next with `after=last_id` while `has_more`."""

    object: Literal["list"] = "list"
    data: list[T]
    has_more: bool = False
    last_id: str | None = None


Item = TypeVar("Item", bound=HasId)


def page_of(items: Sequence[Item], *, limit: int, found: int | None = None) -> "Page[Item]":
    """A page of at most `limit` items. Ask the database for one row more than that: it says whether there are
    others.

    `found` is how many rows came when `items` are only those that are shown.
    """
    shown = list(items[:limit])
    found = len(items) if found is None else found
    return Page(data=shown, has_more=found > limit, last_id=str(shown[-1].id) if shown else None)


def cursor(after: str | None) -> UUID | None:
    """The id that a list continues from. Raises: CursorInvalid."""
    try:
        return None if after is None else UUID(after)
    except ValueError:
        raise CursorInvalid from None
