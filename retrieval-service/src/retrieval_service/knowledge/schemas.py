"""What the routes of knowledge bases take."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from shared.contracts.retrieval import Access

_NO_NUL = "^[^\\x00]*$"
Name = Annotated[
    str, Field(min_length=1, max_length=100, pattern="^[^\\x00-\\x1f\\x7f]*\\S[^\\x00-\\x1f\\x7f]*$")
]
Description = Annotated[str, Field(max_length=2000, pattern=_NO_NUL)]


class KnowledgeBaseCreate(BaseModel):
    """Body of POST /api/v1/retrieval/knowledge-bases."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    description: Description = ""
    access: Access = Field(
        default="private", description="organisation: everyone there may read and search it"
    )


class KnowledgeBasePatch(BaseModel):
    """What changes; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    # The types leave out None: null is refused instead of ignored.
    name: Name = ""
    description: Description = ""
    access: Access = "private"


class FileLink(BaseModel):
    """A file to put into a knowledge base."""

    model_config = ConfigDict(extra="forbid")

    file_id: UUID = Field(description="one of your own files")
