"""How sign-up and sign-in say no."""

from shared.errors import AppError


class SignInRefused(AppError):
    """The same words whether the address is unknown or the password wrong, so that nobody learns which."""

    status, code, title = 401, "invalid_credentials", "Sign-in refused"

    def __init__(self) -> None:
        super().__init__(
            "the e-mail address or the password is wrong; an administrator can give you a new password"
        )


class EmailTaken(AppError):
    status, code, title = 409, "email_taken", "Address in use"

    def __init__(self) -> None:
        super().__init__("an account with this e-mail address exists; sign in instead")


class SignUpClosed(AppError):
    status, code, title = 403, "signup_closed", "Sign-up is closed"

    def __init__(self) -> None:
        super().__init__("sign-up is closed here (ENABLE_SIGNUP=false); ask an administrator for an account")


class SetupTokenWrong(AppError):
    status, code, title = 403, "setup_token_required", "Set-up token needed"

    def __init__(self) -> None:
        super().__init__(
            "the first account needs the one-time SETUP_TOKEN; open the set-up link that the start of "
            "Atrium printed"
        )
