"""Wire models of administration."""

from pydantic import BaseModel, model_validator
from shared.auth.permissions import Role

from gateway_service.people.account import AccountStatus


class UserChange(BaseModel):
    """What is absent stays."""

    role: Role | None = None
    status: AccountStatus | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> "UserChange":
        if self.role is None and self.status is None:
            raise ValueError("send role, status or both")
        return self
