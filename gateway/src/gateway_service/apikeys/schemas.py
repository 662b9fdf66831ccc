"""Wire models of API keys."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field
from shared.auth.permissions import Permission

MODELS_MAX = 200
EXPIRY_MAX_S = 5 * 365 * 86_400
GRACE_MAX_S = 7 * 86_400

ModelName = Annotated[str, Field(min_length=1, max_length=200)]


class KeyLimits(BaseModel):
    rpm: int | None = Field(default=None, ge=1, le=1_000_000, description="requests a minute")


class NewKey(BaseModel):
    name: str = Field(min_length=1, max_length=120)
    scopes: list[Permission] | None = Field(
        default=None, min_length=1, max_length=50, description="absent: all its creator may do"
    )
    models: list[ModelName] = Field(
        default_factory=list, max_length=MODELS_MAX, description="models it may use; empty: all"
    )
    expires_in_s: int | None = Field(default=None, ge=60, le=EXPIRY_MAX_S)
    limits: KeyLimits = Field(default_factory=KeyLimits)


class RotateKey(BaseModel):
    grace_s: int = Field(default=0, ge=0, le=GRACE_MAX_S, description="seconds the old key still works")


class KeyInfo(BaseModel):
    """A key as its owner sees it afterwards; the key itself is gone."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str] | None
    models: list[str]
    limits: KeyLimits
    team_id: UUID
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


class CreatedKey(KeyInfo):
    key: str = Field(description="shown this once; store it now")
