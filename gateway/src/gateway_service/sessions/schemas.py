"""Wire models of sessions."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from gateway_service.people.schemas import User


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


class SignedIn(BaseModel):
    """A short-lived access token; the refresh token travels in an HttpOnly cookie."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = Field(description="seconds until the access token expires")
    user: User


class JsonWebKeySet(BaseModel):
    """Public keys that verify user tokens (RFC 7517)."""

    keys: list[dict[str, Any]]
