"""The shape of every list."""

from typing import Annotated, Generic, Literal, TypeVar

from fastapi import Query
from pydantic import BaseModel

LIMIT_MAX = 100

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="rows at most")]
After = Annotated[str | None, Query(max_length=64, description="id of the last row already seen")]


class Page(BaseModel, Generic[T]):
    """One page; ask for the next with `after=last_id` while `has_more`."""

    object: Literal["list"] = "list"
    data: list[T]
    has_more: bool = False
    last_id: str | None = None
