"""What is known of one answer of a model while it arrives."""

from dataclasses import dataclass

from shared.clients.completions import Dispatched, Finished, Part, RefusalText, Text, ToolCallPiece
from shared.contracts.chat import MessageUsage

_SAYS_MORE = frozenset({"length", "content_filter"})
"""Reasons that say more about an answer without text than that it only thought."""


@dataclass(slots=True)
class ModelAnswer:
    """One answer. `dispatch_id`: under which billing may know the call; None when the call cannot have cost
    anything.

    `dispatched`: a provider was called. `wrote`: there is text other than white space; `thought`, `called`,
    `refused` likewise.
    """

    dispatch_id: str | None = None
    dispatched: bool = False
    usage: MessageUsage | None = None
    wrote: bool = False
    thought: bool = False
    called: bool = False
    refused: bool = False
    _first_reason: str | None = None

    def note(self, part: Part) -> None:
        """Take in what one part of the stream says."""
        match part:
            case Text(reasoning=True):
                self.thought = True
            case Text():
                self.wrote = self.wrote or bool(part.text.strip())
            case RefusalText():
                self.refused = True
            case ToolCallPiece():
                self.called = True
            case MessageUsage():
                self.usage = part
            case Finished():
                # `[DONE]` comes after the model's own reason and says less.
                self._first_reason = self._first_reason or part.reason
            case Dispatched():
                self.dispatched = True

    @property
    def finished(self) -> bool:
        return self._first_reason is not None

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended, as people are told; None while it has not."""
        if self._first_reason in {None, "error"}:
            return self._first_reason
        if self.refused:
            return "refusal"
        if self.thought and not self.wrote and not self.called and self._first_reason not in _SAYS_MORE:
            return "reasoning_only"
        return self._first_reason
