"""How many tokens text is, where no tokenizer says: at least, usually, and at most in what is known of
tokenizers.
"""

import re
from typing import Any, cast

import orjson

Json = dict[str, Any]

# No tokenizer in use packs more bytes of ordinary text into a token on average.
BYTES_PER_TOKEN_MAX = 8
# One token is rarely longer; a provider that packs several into an event is counted by its bytes instead.
_TOKEN_BYTES_MAX = 32
_BYTES_PER_TOKEN_USUAL = 4
# What is charged when nobody reports the figures of an answer that its reader left: never below what the
# provider bills.
_BYTES_PER_TOKEN_LEFT = 2
# An answer that is not streamed shows nothing until its end. This is slower than any model that is worth
# paying for.
_TOKENS_PER_S = 25
_SILENT_S = 1.0
# A photograph at full detail: 1,105 at OpenAI, about 1,600 at Anthropic.
_TOKENS_PER_IMAGE = 1_600
# Known tokenizers need at most so many tokens for a letter: common two-byte alphabets, Chinese, Japanese and
# Korean; any other script is taken byte by byte.
_ALPHABETS = re.compile("[\u0080-\u052f\u0590-\u06ff\u2000-\u206f\uff00-\uffef]+")
_EAST_ASIAN = re.compile("[\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_TOKENS_PER_LETTER_ALPHABETS = 1
_TOKENS_PER_LETTER_EAST_ASIAN = 2
_NOT_OUTPUT = frozenset(
    {"role", "type", "id", "index", "format", "object", "signature", "thought_signature", "data",
    "encrypted_content", "extra_content",
     "annotations", "logprobs", "provider_specific_fields"}
)  # fmt: skip
_DEPTH_MAX = 6


class Count:
    """What an answer said so far, from its deltas: any text in them counts, under whatever name."""

    __slots__ = ("least_tokens", "tokens", "visible_bytes")

    def __init__(self) -> None:
        self.least_tokens = 0
        self.tokens = 0
        self.visible_bytes = 0

    def add(self, delta: Json) -> None:
        """One delta or whole message."""
        texts: list[str] = []
        for name, value in delta.items():
            if value and name not in _NOT_OUTPUT:
                if value.__class__ is str:
                    texts.append(value)
                else:
                    _collect(value, texts, 0)
        # Some providers say the same text under two names.
        for text in texts if len(texts) < 2 else set(texts):
            self._add_text(text)

    def _add_text(self, text: str) -> None:
        size_bytes = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        words = len(text.split()) or 1
        self.visible_bytes += size_bytes
        if size_bytes <= BYTES_PER_TOKEN_MAX:
            self.least_tokens += words
            self.tokens += words
            return
        # A word is at least one token: tokenizers do not join over spaces.
        self.least_tokens += (
            max(words, -(-size_bytes // BYTES_PER_TOKEN_MAX)) if size_bytes > _TOKEN_BYTES_MAX else words
        )
        self.tokens += (
            max(words, -(-size_bytes // _BYTES_PER_TOKEN_USUAL)) if size_bytes > _TOKEN_BYTES_MAX else words
        )

    def when_left(self) -> int:
        """Tokens to charge for an answer that was left before its figures came."""
        return max(self.tokens, -(-self.visible_bytes // _BYTES_PER_TOKEN_LEFT))


def count_message(message: Json) -> Count:
    """Of a whole answer."""
    count = Count()
    count.add(message)
    return count


def text_tokens(text: str) -> int:
    """Tokens of input text: four bytes of English to one, other scripts by what tokenizers make of them at
    most.
    """
    if text.isascii():
        return -(-len(text) // _BYTES_PER_TOKEN_USUAL)
    rest, alphabets = _without(_ALPHABETS, text)
    rest, east_asian = _without(_EAST_ASIAN, rest)
    ascii_letters = len(rest.encode("ascii", "ignore"))
    others_bytes = len(rest.encode("utf-8", "surrogatepass")) - ascii_letters
    return (
        -(-ascii_letters // _BYTES_PER_TOKEN_USUAL)
        + alphabets * _TOKENS_PER_LETTER_ALPHABETS
        + east_asian * _TOKENS_PER_LETTER_EAST_ASIAN
        + others_bytes
    )


def beyond_bytes(messages: object) -> int:
    """Tokens of a request's messages that four bytes to a token leave out: images, and scripts other than
    Latin.
    """
    found = 0
    for message in cast("list[object]", messages) if isinstance(messages, list) else []:
        if isinstance(message, dict):
            found += _beyond(cast("Json", message), 0)
    return found


def _beyond(value: object, depth: int) -> int:
    if isinstance(value, str):
        if value.isascii():
            return 0
        return max(
            0, text_tokens(value) - len(value.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN_USUAL
        )
    if depth > _DEPTH_MAX:
        return 0
    if isinstance(value, list):
        return sum(_beyond(entry, depth + 1) for entry in cast("list[object]", value))
    if isinstance(value, dict):
        members = cast("Json", value)
        if members.get("type") == "image_url":
            return _TOKENS_PER_IMAGE
        return sum(_beyond(entry, depth + 1) for entry in members.values())
    return 0


def _without(letters: "re.Pattern[str]", text: str) -> tuple[str, int]:
    rest = letters.sub("", text)
    return rest, len(text) - len(rest)


def tokens_unseen(seconds: float) -> int:
    """Tokens to charge for an answer that is not streamed and was left after `seconds`."""
    return int(max(0.0, seconds - _SILENT_S) * _TOKENS_PER_S)


def _collect(value: object, texts: list[str], depth: int) -> None:
    if depth > _DEPTH_MAX:
        return
    if isinstance(value, str):
        if value:
            texts.append(value)
    elif isinstance(value, list):
        for entry in cast("list[object]", value):
            _collect(entry, texts, depth + 1)
    elif isinstance(value, dict):
        for name, entry in cast("Json", value).items():
            if name == "arguments" and not isinstance(entry, str):
                texts.append(orjson.dumps(entry).decode())
            elif name not in _NOT_OUTPUT:
                _collect(entry, texts, depth + 1)
