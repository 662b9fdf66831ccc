"""What can be refused about turns."""

from shared.errors import Conflict, TooManyRequests, Unavailable


class TooManyTurns(TooManyRequests):
    """The person has the allowed number of replies running."""

    code = "too_many_running_replies"

    def __init__(self, count_max: int) -> None:
        super().__init__(
            f"{count_max} of your replies are being written already; wait for one or stop one",
            retry_after_s=5,
            extra={"limit": count_max},
        )


class ChatChanging(Conflict):
    """The chat's agent changed each time it was looked at."""

    code = "chat_changing"

    def __init__(self) -> None:
        super().__init__("the agent of this chat is being changed elsewhere; send the message again")


class ProcessBusy(Unavailable):
    """This process runs as many turns as it may."""

    code = "chat_busy"

    def __init__(self) -> None:
        super().__init__(
            "too many replies are being written at the moment; try again shortly", retry_after_s=5
        )


class Draining(Unavailable):
    """The process shuts down."""

    code = "chat_restarting"

    def __init__(self) -> None:
        super().__init__("the chat-service restarts; ask again in a moment", retry_after_s=3)
