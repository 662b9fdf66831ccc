"""Wire models of sign-up, sign-in and passwords."""

from typing import Annotated
from uuid import UUID

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from gateway_service.people.schemas import User
from gateway_service.signin.password_rules import PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, accepted

# Company-internal domains such as corp.local are normal here; emptying the list is the library's documented
# switch.
SPECIAL_USE_DOMAIN_NAMES.clear()


def _normalised(address: str) -> str:
    try:
        parsed = validate_email(address, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise PydanticCustomError("email_not_valid", "{problem}", {"problem": str(error)}) from None
    return parsed.normalized.lower()


def _new_password(password: SecretStr) -> SecretStr:
    return SecretStr(accepted(password.get_secret_value()))


Email = Annotated[
    str, Field(min_length=3, max_length=254, examples=["ada@example.com"]), AfterValidator(_normalised)
]
NewPassword = Annotated[
    SecretStr,
    Field(min_length=PASSWORD_CHARS_MIN, max_length=PASSWORD_CHARS_MAX),
    AfterValidator(_new_password),
]
GivenPassword = Annotated[SecretStr, Field(min_length=1, max_length=PASSWORD_CHARS_MAX)]


class SignUp(BaseModel):
    name: str = Field(min_length=1, max_length=120)
    email: Email
    password: NewPassword
    setup_token: SecretStr | None = Field(
        default=None, max_length=512, description="only the first account may need it"
    )

    @field_validator("password")
    @classmethod
    def _not_their_own_name(cls, password: SecretStr, info: ValidationInfo) -> SecretStr:
        accepted(
            password.get_secret_value(),
            own_words=tuple(str(info.data.get(name, "")) for name in ("name", "email")),
        )
        return password


class SignIn(BaseModel):
    email: Email
    password: GivenPassword


class PasswordChange(BaseModel):
    current_password: GivenPassword
    new_password: NewPassword


class Me(User):
    """The caller and what they may do."""

    permissions: list[str]
    key_id: UUID | None = None
    session_id: UUID | None = None


class AuthConfig(BaseModel):
    """What the sign-in page must know before anyone is signed in."""

    name: str
    signup_open: bool
    setup_required: bool = Field(description="no account exists yet; the first one becomes the administrator")
    setup_token_required: bool
