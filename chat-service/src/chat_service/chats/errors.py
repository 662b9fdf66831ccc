"""What can be refused about chats."""

from shared.errors import Invalid, NotFound


class ChatNotFound(NotFound):
    """The chat is not there or not the caller's; the two look the same from outside."""

    code = "chat_not_found"

    def __init__(self) -> None:
        super().__init__("there is no such chat; GET /api/v1/chats lists yours")


class NotOffered(NotFound):
    """A known name of something this installation does not have, as opposed to a wrong address."""

    code = "not_offered"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} of chats is not offered here; GET /api/v1/chats lists your chats, /docs has what there "
            "is beside them"
        )


class NoSuchChange(Invalid):
    """A member of the patch that cannot be null."""

    code = "patch_invalid"
