"""The providers as operators see them."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class ProviderView(BaseModel):
    """One configured provider; never its key."""

    id: str
    kind: str
    address: str
    status: Literal["ready", "loading", "down"]
    detail: str | None = Field(description="why it is not ready, and what to do")
    models: int = Field(description="models it serves, or served when it last answered")
    checked_at: datetime | None


class ProviderList(BaseModel):
    """All of them, in the order in which they win a model id."""

    object: Literal["list"] = "list"
    data: list[ProviderView]
    has_more: bool = False
    last_id: str | None = None
