"""The providers as operators see them."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class ProviderView(BaseModel):
    """One configured provider; never its key."""

    id: str
    kind: str
    address: str | None = Field(description="null for those who do not administer the installation")
    status: Literal["ready", "loading", "down"]
    detail: str | None = Field(description="why it is not ready, and what to do")
    operator_detail: str | None = Field(
        default=None, description="address or setting to look at; administrators only"
    )
    models: int = Field(description="models it serves, or served when it last answered")
    checked_at: datetime | None


class ProviderList(BaseModel):
    """All of them, in the order in which they win a model id."""

    object: Literal["list"] = "list"
    data: list[ProviderView]
    has_more: bool = False
    last_id: str | None = None
