"""What a model wrote in one step, as its parts arrive."""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import orjson
from shared.citations import missing_marks
from shared.clients.completions import RefusalText, Text, ToolCallPiece
from shared.replies.answers import ModelAnswer

from agent_service.loop.written_calls import HeldText
from agent_service.records.spec import ModelCall
from agent_service.tools.port import Tool

_CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAME_CHARS_MAX = 128
_CALLS_KEPT_MAX = 128


@dataclass(slots=True)
class _CallParts:
    call_id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])
    extra: dict[str, Any] = field(default_factory=dict[str, Any])


class StepAnswer:
    """What one model step wrote and called.

    `bytes_max` bounds text, reasoning and arguments together. `model`: what else is known of it.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_left = bytes_max
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._calls: dict[int, _CallParts] = {}
        self._held = HeldText({})
        self.model = ModelAnswer()

    @property
    def too_long(self) -> bool:
        return self._bytes_left < 0

    def text(self) -> str:
        return "".join(self._texts)

    def reasoning(self) -> str:
        return "".join(self._thoughts)

    def offer(self, tools: Sequence[Tool]) -> None:
        """Before the first part: the tools the model may call, in which form ever."""
        self._held = HeldText({tool.name: frozenset(tool.parameters.get("properties", ())) for tool in tools})

    def add_text(self, part: Text) -> str:
        """What may be shown of the answer now."""
        self._bytes_left -= len(part.text.encode())
        if part.reasoning:
            self._thoughts.append(part.text)
            return part.text
        return self._keep(self._held.feed(part.text))

    def add_refusal(self, part: RefusalText) -> str:
        """The model's words for why it does not answer are its answer."""
        self._bytes_left -= len(part.text.encode())
        return self._keep(part.text)

    def end_text(self) -> str:
        """At the end: what was kept back and turned out to be no call."""
        written, rest = self._held.end()
        if written is not None and not self._calls:
            self._calls[0] = _CallParts(name=written.name, arguments=[written.arguments])
            self.model.called = True
        return self._keep(rest)

    def end_marks(self, passages: Sequence[tuple[int, str]]) -> str:
        """At the end of an answer without calls: the citations that the model left out."""
        return "" if self._calls else self._keep(missing_marks(self.text(), passages))

    def _keep(self, shown: str) -> str:
        if shown:
            self._texts.append(shown)
        return shown

    def add_call_piece(self, piece: ToolCallPiece) -> None:
        if piece.index not in self._calls and len(self._calls) >= _CALLS_KEPT_MAX:
            return
        parts = self._calls.setdefault(piece.index, _CallParts())
        parts.call_id = parts.call_id or piece.call_id or ""
        parts.name = parts.name or (piece.name or "")[:_NAME_CHARS_MAX]
        parts.arguments.append(piece.arguments)
        parts.extra.update(piece.extra)
        self._bytes_left -= len(piece.arguments.encode()) + (
            len(orjson.dumps(piece.extra)) if piece.extra else 0
        )

    def calls(self, *, step: int, taken: AbstractSet[str], calls_max: int) -> list[ModelCall]:
        """The first `calls_max` calls under ids that are unique within the run: some providers start
        numbering again in each answer.
        """
        calls: list[ModelCall] = []
        used = set(taken)
        for place, index in enumerate(sorted(self._calls)[:calls_max]):
            parts = self._calls[index]
            own = _CALL_ID.fullmatch(parts.call_id) is not None and parts.call_id not in used
            call_id = parts.call_id if own else f"call-{step}-{place + 1}"
            used.add(call_id)
            name, arguments = parts.name.replace("\x00", ""), "".join(parts.arguments)
            calls.append(ModelCall(id=call_id, name=name, arguments=arguments, extra=parts.extra))
        return calls
