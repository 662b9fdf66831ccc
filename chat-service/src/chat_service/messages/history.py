"""What a turn sends to the model: as much of the branch as the budget allows, in the shape chat models accept."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.contracts.chat import Role

BYTES_PER_TOKEN = 3
"""A low estimate for text and code, so that the budget is not exceeded by much where tokens are short."""

CONTINUE_INSTRUCTION = "Your last answer was cut off. Go on exactly where it ends, without repeating or commenting on anything."


@dataclass(frozen=True, slots=True)
class Line:
    """One message of the branch."""

    role: Role
    content: str


def fit(lines: Sequence[Line], *, bytes_max: int) -> list[Line]:
    """The newest of `lines` (root first) within the budget; the newest goes whatever its size, and a user's line comes first."""
    kept: list[Line] = []
    left = bytes_max
    for line in reversed(lines):
        left -= len(line.content.encode())
        if left < 0 and kept:
            break
        kept.append(line)
    kept.reverse()
    first = next((index for index, line in enumerate(kept) if line.role == "user"), len(kept))
    return kept[first:]


def with_end_of_reply(lines: Sequence[Line], *, bytes_max: int) -> list[Line]:
    """`lines` of a reply that is continued (the last one): when it does not fit with its question, its end, behind the question's begin."""
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
        Line("user", asked.decode(errors="ignore")),
        *lines[at + 1 : -1],
        Line(lines[-1].role, said.decode(errors="ignore")),
    ]


def to_prompt(lines: Sequence[Line], *, go_on: bool) -> list[dict[str, str]]:
    """The `messages` of a completion request: empty replies left out, neighbours of one role joined (templates insist on turns)."""
    said = [line for line in lines if line.content.strip()]
    if go_on:
        said.append(Line("user", CONTINUE_INSTRUCTION))
    prompt: list[dict[str, str]] = []
    for line in said:
        if prompt and prompt[-1]["role"] == line.role:
            prompt[-1]["content"] += f"\n\n{line.content}"
        else:
            prompt.append({"role": line.role, "content": line.content})
    return prompt
