"""What a comparison found."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

EXAMPLES_MAX = 10

Kind = Literal[
    "vectors_without_file",
    "passages_without_file",
    "objects_without_file",
    "file_without_passages",
    "file_without_object",
]


class Finding(BaseModel):
    """One kind of disagreement. What is not healed yet is younger than the grace time, or cannot be
    healed.
    """

    kind: Kind
    count: int = Field(description="files or objects it concerns")
    healed: int = Field(description="of them removed, or queued to be read again")
    examples: list[str] = Field(description="ids of files, or keys of objects", max_length=EXAMPLES_MAX)


class Report(BaseModel):
    """`findings` is empty when everything agrees."""

    started_at: datetime
    finished_at: datetime
    files: int
    passages: int
    points: int
    objects: int
    findings: list[Finding]


class Reconciliation(BaseModel):
    """The last report of this process."""

    running: bool
    last: Report | None
