"""What a turn that continues a reply sends to the model."""

from collections.abc import Sequence
from typing import Any

from shared.replies.fitting import PromptLine, joined

CONTINUE_INSTRUCTION = (
    "Your last answer was cut off. Go on exactly where it ends, without repeating or commenting on anything."
)


def with_end_of_reply(lines: Sequence[PromptLine], *, bytes_max: int) -> list[PromptLine]:
    """`lines` of a reply that is continued (the last one): when it does not fit with its question, its end,
    behind the question's begin.
    """
    at = max((index for index, line in enumerate(lines) if line.role == "user"), default=None)
    if at is None or at == len(lines) - 1:
        return list(lines)
    asked, said = lines[at].content.encode(), lines[-1].content.encode()
    if len(asked) + len(said) <= bytes_max:
        return list(lines)
    asked = asked[: bytes_max // 2]
    said = said[-max(bytes_max - len(asked), 1) :]
    return [
        *lines[:at],
        PromptLine("user", asked.decode(errors="ignore")),
        *lines[at + 1 : -1],
        PromptLine(lines[-1].role, said.decode(errors="ignore")),
    ]


def to_prompt(lines: Sequence[PromptLine], *, continues: bool) -> list[dict[str, Any]]:
    """The `messages` of a completion request; `continues`: the last line is a reply to be written on."""
    asked = [PromptLine("user", CONTINUE_INSTRUCTION)] if continues else []
    return [line.message() for line in joined([*lines, *asked])]
