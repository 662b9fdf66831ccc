"""Text that a model's tokenizer would take for the marks between messages, made harmless."""

import re
from collections.abc import Iterable
from typing import TypeVar, cast

Value = TypeVar("Value")

# Drawn as nothing, and enough for the tokenizer to see two pieces of text.
_BREAK = "\u200b"
# The forms in use: <|im_end|>, <|eot_id|>, deepseek's full-width bars, <s>, <end_of_turn>, [INST], <<SYS>>.
_FORMS = (
    r"<[|\uff5c]", r"</?s>", r"<(?:bos|eos|pad|unk|mask|sep|cls)>", r"<(?:start|end)_of_turn>",
    r"<(?:start|end)_of_(?:image|audio)>",
    r"\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|IMG|IMG_BREAK|IMG_END|PREFIX|SUFFIX|MIDDLE)\]",
    r"<</?SYS>>",
)  # fmt: skip
_TOKENS_MAX = 4096


class ControlTokens:
    """The marks of one model, by their usual forms and by the list its own file gives."""

    def __init__(self, tokens: Iterable[str] = ()) -> None:
        # The longest first, so that no shorter one inside it is found instead.
        listed = sorted({token for token in tokens if len(token) > 1}, key=len, reverse=True)[:_TOKENS_MAX]
        self._pattern = re.compile("|".join([*_FORMS, *map(re.escape, listed)]))

    def neutralise(self, value: Value) -> Value:
        """`value` (JSON) with every mark in any text broken up."""
        return cast("Value", self._walk(value))

    def _walk(self, value: object) -> object:
        if isinstance(value, str):
            return self._pattern.sub(_broken, value)
        if isinstance(value, dict):
            return {
                self._pattern.sub(_broken, name): self._walk(entry)
                for name, entry in cast("dict[str, object]", value).items()
            }
        if isinstance(value, list):
            return [self._walk(entry) for entry in cast("list[object]", value)]
        return value


def _broken(found: "re.Match[str]") -> str:
    mark = found.group()
    return mark[0] + _BREAK + mark[1:]
