"""How sessions say no."""

from shared.errors import AppError


class NoSession(AppError):
    status, code, title = 401, "no_session", "No session"

    def __init__(self) -> None:
        super().__init__("there is no session to refresh or it has ended; sign in")


class RefreshTokenReused(AppError):
    """Somebody holds a copy of an old refresh token, so the whole session is over."""

    status, code, title = 401, "refresh_token_reused", "Session ended"

    def __init__(self) -> None:
        super().__init__("this session was ended because an old refresh token was used again; sign in")


class CrossSiteRequest(AppError):
    status, code, title = 403, "cross_site_request", "Not allowed from another site"

    def __init__(self) -> None:
        super().__init__(
            "cookies are accepted from the gateway's own pages only; open the public address of this "
            "installation"
        )
