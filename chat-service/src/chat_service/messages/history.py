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
