"""Wire models of sessions."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field


class SessionInfo(BaseModel):
    """One sign-in on one device."""

    id: UUID
    user_agent: str
    address: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool = Field(description="the session this request belongs to")


class AccessToken(BaseModel):
    """A token every service accepts directly."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = Field(description="seconds until it expires")


class JsonWebKeySet(BaseModel):
    """Public keys that verify user tokens (RFC 7517)."""

    keys: list[dict[str, Any]]
