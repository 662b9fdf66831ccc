"""What can be refused about messages."""

from shared.errors import Conflict, Invalid, NotFound, PayloadTooLarge


class MessageNotFound(NotFound):
    """Not in this chat; a message of another chat looks the same."""

    code = "message_not_found"

    def __init__(self) -> None:
        super().__init__("there is no such message in this chat")


class ParentNotFound(NotFound):
    """The parent_id of a post is not in this chat."""

    code = "parent_not_found"

    def __init__(self) -> None:
        super().__init__("parent_id is no message of this chat; leave it out to follow the current reply")


class ParentNotReply(Invalid):
    """A message must follow a reply."""

    code = "parent_not_reply"

    def __init__(self) -> None:
        super().__init__(
            "parent_id must be a reply; to edit a message send the parent_id of the one you edit"
        )


class ReplyRunning(Conflict):
    """The parent is still being written."""

    code = "reply_running"

    def __init__(self) -> None:
        super().__init__("the reply you follow is still being written; wait for it or stop it first")


class NotReply(Invalid):
    """The operation wants a reply."""

    code = "not_a_reply"

    def __init__(self) -> None:
        super().__init__("this works on replies; the message is a person's")


class NothingToContinue(Conflict):
    """Only a reply that ended early continues."""

    code = "nothing_to_continue"

    def __init__(self) -> None:
        super().__init__(
            "only a stopped, interrupted, failed or cut (length) reply can be continued; regenerate makes "
            "another one"
        )


class ReplyFull(Conflict):
    """The reply has all the text that one may have."""

    code = "reply_too_long"

    def __init__(self, size_max: int) -> None:
        super().__init__(
            f"the reply has the {size_max} bytes that one may have; ask for the rest in a new message"
        )


class AgentReplyEnded(Conflict):
    """What an agent wrote does not go on in its middle: its run has ended."""

    code = "agent_reply_ended"

    def __init__(self) -> None:
        super().__init__("an agent wrote this reply and its run has ended; regenerate makes another one")


class ContentTooLarge(PayloadTooLarge):
    """The message is larger than the installation allows."""

    code = "content_too_large"

    def __init__(self, size_max: int) -> None:
        super().__init__(
            f"the message is larger than {size_max} bytes; shorten it", extra={"limit_bytes": size_max}
        )


class MessageTooLong(PayloadTooLarge):
    """The model could not read the message even alone."""

    code = "message_too_long"

    def __init__(self, *, model: str, tokens: int, tokens_max: int) -> None:
        super().__init__(
            f"the message has about {tokens} tokens and {model} reads at most {tokens_max} beside its answer;"
            " shorten it, attach it as a file, or choose a model with a larger window",
            extra={"model": model, "tokens": tokens, "limit_tokens": tokens_max},
        )


class TooManySiblings(Conflict):
    """One more version would pass the bound."""

    code = "too_many_versions"

    def __init__(self, count_max: int) -> None:
        super().__init__(f"this message has {count_max} versions already; choose one of them")
