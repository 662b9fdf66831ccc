"""What every reader is given and gives."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from retrieval_service.parsing.blocks import Block
from retrieval_service.parsing.job import ParseLimits


@dataclass(frozen=True, slots=True)
class DocumentSource:
    """A document to read. `report` says how far the reader is: (done, total) in pages."""

    path: Path
    limits: ParseLimits
    report: Callable[[int, int], None]


class FormatReader(Protocol):
    """A module of `parsing.adapters`."""

    def read(self, source: DocumentSource) -> Iterator[Block]:
        """The document's blocks in reading order, clean. Raises: DocumentRefused."""
        ...
