"""How much a model reads and writes, as an operator sets it or as it is known by the model's name."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE_PATH = Path(__file__).with_name("known_windows.json")
_TOKENS_MAX = 20_000_000


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens of input, and of one answer where that is known."""

    context_tokens: int
    output_tokens: int | None = None


def canonical(name: str) -> str:
    """A model's name without the providers it came through: `OpenRouter/OpenAI/GPT-4o:free` is `gpt-4o`."""
    lower = name.lower().removeprefix("ft:")
    last = lower.rpartition("/")[2]
    return last.partition(":")[0].partition("@")[0]


@cache
def known_windows() -> Mapping[str, Window]:
    """The table that tools/context_windows.py writes, read once."""
    rows = json.loads(TABLE_PATH.read_text(encoding="utf-8"))["models"]
    return {name: Window(context, output) for name, context, output in rows}


def parse_windows(value: str) -> dict[str, Window]:
    """Entries such as `gpt-x=200000/16000;openai-2/llama=32768`. Raises: ValueError saying which one is
    wrong.
    """
    found: dict[str, Window] = {}
    for entry in filter(None, (part.strip() for part in value.split(";"))):
        name, equals, tokens = entry.rpartition("=")
        context, slash, output = tokens.partition("/")
        numbers = [context.strip(), *([output.strip()] if slash else [])]
        if (
            not equals
            or not name.strip()
            or not all(text.isdecimal() and 0 < int(text) <= _TOKENS_MAX for text in numbers)
        ):
            raise ValueError(
                f"{entry!r} must be <model>=<context tokens> or <model>=<context tokens>/<answer tokens>"
            )
        found[name.strip().lower()] = Window(*map(int, numbers))
    return found
