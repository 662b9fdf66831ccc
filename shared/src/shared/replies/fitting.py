"""As much of a conversation as a model can read, in the shape chat models accept."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shared.clients.windows import ContextWindow
from shared.contracts.chat import LeftOutEventData, Role

BYTES_PER_TOKEN = 3
"""A low estimate for text and code, so that a window is not exceeded by much where tokens are short."""


class Said(Protocol):
    """A message of a conversation, in whichever model it comes."""

    @property
    def role(self) -> Role: ...
    @property
    def content(self) -> str: ...


@dataclass(frozen=True, slots=True)
class PromptLine:
    """A line of a prompt, made of `count` messages."""

    role: Role
    content: str
    count: int = 1

    @property
    def size_bytes(self) -> int:
        return len(self.content.encode())

    def message(self) -> dict[str, Any]:
        """The line as one of the `messages` of a completion request."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be sent: bytes of prompt beside the answer, of a window of so many tokens."""

    bytes_max: int
    window_tokens: int

    @classmethod
    def of(cls, window: ContextWindow, *, tokens_max: int) -> "Budget":
        """`tokens_max`: the installation's cap on what is sent to any model."""
        return cls(BYTES_PER_TOKEN * window.prompt_tokens, min(window.context_tokens, tokens_max))

    def left_out(self, *, messages: int, passages: int = 0) -> LeftOutEventData | None:
        """What the model does not see; None when it sees all."""
        if messages <= 0 and not passages:
            return None
        return LeftOutEventData(
            messages=max(0, messages), passages=passages, window_tokens=self.window_tokens
        )


def _content_bytes(line: PromptLine) -> int:
    return line.size_bytes


def fit(
    lines: Sequence[PromptLine], *, bytes_max: int, size_of: Callable[[PromptLine], int] = _content_bytes
) -> list[PromptLine]:
    """The newest of `lines` (oldest first) within the budget; the newest goes whatever its size, and a user's
    line comes first.
    """
    kept: list[PromptLine] = []
    left = bytes_max
    for line in reversed(lines):
        left -= size_of(line)
        if left < 0 and kept:
            break
        kept.append(line)
    kept.reverse()
    first = next((index for index, line in enumerate(kept) if line.role == "user"), len(kept))
    return kept[first:]


def joined(said: Iterable[Said]) -> list[PromptLine]:
    """Lines for a prompt: empty messages left out, neighbours of one role joined, because templates insist on
    turns.
    """
    lines: list[PromptLine] = []
    for message in said:
        if not message.content.strip():
            continue
        if lines and lines[-1].role == message.role:
            lines[-1] = PromptLine(
                message.role, f"{lines[-1].content}\n\n{message.content}", lines[-1].count + 1
            )
        else:
            lines.append(PromptLine(message.role, message.content))
    return lines


def json_bytes(parts: Iterable[Mapping[str, Any]]) -> int:
    """Bytes of `parts` as JSON."""
    return sum(len(json.dumps(part, ensure_ascii=False).encode(errors="replace")) for part in parts)
