"""Wire models of the retrieval-service: documents, knowledge bases, search. Additive only."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

QUERY_CHARS_MAX = 4_000
PASSAGES_MAX = 50
_NO_NUL = "^[^\\x00]*$"

EmbeddingStatus = Literal["pending", "completed", "failed"]
Stage = Literal["queued", "parsing", "embedding", "ready", "failed", "cancelled"]
SearchMode = Literal["dense", "bm25", "hybrid"]
Access = Literal["private", "organisation"]


class DocumentProgress(BaseModel):
    """How far the stage is; `total` null: not known yet."""

    done: int
    total: int | None
    unit: Literal["bytes", "pages", "chunks"]


class DocumentError(BaseModel):
    """Why a document could not be read, and what to do."""

    code: str
    detail: str


class DocumentMetadata(BaseModel):
    """One file and how far its ingestion is. The first ten members are a contract with their exact names."""

    document_id: UUID = Field(description="also the file_id of search and chats")
    customer_id: UUID = Field(description="the organisation")
    filename: str
    s3_key: str
    content_type: str
    size_bytes: int
    upload_timestamp: datetime
    embedding_status: EmbeddingStatus
    qdrant_collection: str
    qdrant_point_id: str | None = Field(
        description="point of the first chunk; null until the document is ready"
    )
    stage: Stage
    progress: DocumentProgress | None = None
    error: DocumentError | None = None
    sha256: str
    page_count: int | None = None
    chunk_count: int | None = None
    token_count: int | None = None
    knowledge_base_ids: list[UUID] = Field(default_factory=list[UUID])
    updated_at: datetime


class KnowledgeBase(BaseModel):
    """A named set of files to search in."""

    id: UUID
    name: str
    description: str
    access: Access
    writable: bool = Field(description="whether the caller may change it")
    file_count: int
    created_at: datetime
    updated_at: datetime


class SearchRequest(BaseModel):
    """Body of POST /api/v1/retrieval/search. Without knowledge bases and files: all files of the caller."""

    model_config = ConfigDict(extra="forbid")

    query: Annotated[str, Field(min_length=1, max_length=QUERY_CHARS_MAX, pattern=_NO_NUL)]
    knowledge_base_ids: list[UUID] = Field(default_factory=list[UUID], max_length=20)
    file_ids: list[UUID] = Field(default_factory=list[UUID], max_length=200)
    k: int = Field(default=8, ge=1, le=PASSAGES_MAX)
    mode: SearchMode | None = Field(
        default=None, description="unset: hybrid, or dense where ENABLE_RAG_HYBRID_SEARCH is false"
    )
    rerank: bool = False
    trace: bool = False


class Passage(BaseModel):
    """One passage, best first. `start` and `end` are character offsets in the text of the document."""

    chunk_id: UUID
    text: str
    score: float
    file_id: UUID
    filename: str
    page: int | None
    heading: str | None
    start: int
    end: int


class Candidate(BaseModel):
    """A passage that was looked at, with its ranks (from 1) and scores, and why it was used or not."""

    chunk_id: UUID
    file_id: UUID
    filename: str
    page: int | None
    dense_rank: int | None = None
    dense_score: float | None = None
    bm25_rank: int | None = None
    bm25_score: float | None = None
    fused_score: float | None = None
    rerank_score: float | None = None
    used: bool
    reason: str


class SearchTrace(BaseModel):
    """How the answer came about; durations in milliseconds by phase. `mode` is the one used; `notes` say why
    it is another.
    """

    mode: SearchMode
    notes: list[str] = Field(default_factory=list[str])
    files_searched: int
    took_ms: dict[str, float]
    candidates: list[Candidate]


class SearchResponse(BaseModel):
    """What POST /api/v1/retrieval/search answers."""

    data: list[Passage]
    trace: SearchTrace | None = None
