"""What the routes of uploads take and give."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from shared.contracts.retrieval import DocumentError, DocumentMetadata

_NO_NUL = "^[^\\x00]*$"
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
SIZE_BYTES_MAX = 2**53


class UploadCreate(BaseModel):
    """Body of POST /api/v1/retrieval/uploads."""

    model_config = ConfigDict(extra="forbid")

    filename: Annotated[str, Field(min_length=1, max_length=1000, pattern=_NO_NUL)]
    size_bytes: int = Field(ge=1, le=SIZE_BYTES_MAX, description="of the whole file")
    content_type: Annotated[str, Field(max_length=200, pattern=_NO_NUL)] | None = None
    knowledge_base_id: UUID | None = Field(default=None, description="one of your own; the file is put in")
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        default=None, description="of the whole file, checked at the end"
    )


class UploadView(BaseModel):
    """An upload. `offset` is where the next chunk begins; `document` is there when all has arrived, `error`
    when it was refused.
    """

    id: UUID
    filename: str
    size_bytes: int
    offset: int
    chunk_bytes_min: int = Field(description="least bytes of a chunk that is not the last")
    chunk_bytes_max: int
    expires_at: datetime
    document: DocumentMetadata | None = None
    error: DocumentError | None = None
