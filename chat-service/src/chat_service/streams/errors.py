"""What can be refused about streams."""

from shared.errors import TooManyRequests


class TooManyStreams(TooManyRequests):
    """The person follows too many replies at once."""

    code = "too_many_streams"

    def __init__(self, count_max: int) -> None:
        super().__init__(
            f"{count_max} reply streams are open already; close a tab and try again",
            retry_after_s=5,
            extra={"limit": count_max},
        )
