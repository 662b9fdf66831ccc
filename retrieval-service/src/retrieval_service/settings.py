"""Settings of the retrieval-service."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator
from shared.settings import ServiceSettings, built_in_embedding_model

SCHEMA_VERSION = 5


class RetrievalSettings(ServiceSettings):
    """What the retrieval-service reads beyond the common settings."""

    service: ClassVar[str] = "retrieval-service"

    port: int = Field(default=8003, ge=0, le=65535, description="port the service binds")
    executor_id: str = Field(
        default="retrieval-service",
        min_length=1,
        max_length=200,
        description=(
            "name of this replica; the process that comes back under it resumes the ingestions it left"
        ),
    )

    object_store_url: str | None = Field(
        default=None, description="s3://bucket/prefix or file:///folder; unset: ATRIUM_HOME/data/objects"
    )
    s3_endpoint_url: str | None = Field(default=None, description="address of an S3 that is not Amazon's")
    s3_region: str | None = Field(default=None, description="region of the bucket; unset: AWS_REGION")
    s3_access_key_id: str | None = Field(
        default=None, description="unset: AWS_ACCESS_KEY_ID or the machine's role"
    )
    s3_secret_access_key: SecretStr | None = Field(default=None, description="goes with S3_ACCESS_KEY_ID")
    file_size_max_bytes: int = Field(
        default=200_000_000, ge=1024, le=50_000_000_000, description="largest file"
    )
    file_quota_bytes: int = Field(
        default=5_000_000_000, ge=1024, description="bytes of files one person may keep"
    )
    file_quota_files: int = Field(default=5_000, ge=1, le=10_000, description="files one person may keep")
    upload_chunk_max_bytes: int = Field(
        default=8 * 1024 * 1024,
        ge=64 * 1024,
        le=32 * 1024 * 1024,
        description="largest chunk of a resumable upload",
    )
    upload_idle_max_s: float = Field(
        default=86_400, gt=0, description="seconds after its last chunk that an upload is given up"
    )
    uploads_open_per_user_max: int = Field(
        default=50, ge=1, description="unfinished resumable uploads of one person"
    )
    file_jobs_interval_s: float = Field(
        default=2,
        gt=0,
        description="seconds between looks for files to ingest, deleted files to remove and uploads to end",
    )

    embedding_model: str = Field(
        default="all-minilm-l6-v2", max_length=200, description="model that passages and questions share"
    )
    embedding_model_path: Path | None = Field(
        default=None, description="folder with the tokenizer.json that passages are measured with"
    )
    embedding_timeout_s: float = Field(
        default=150,
        gt=0,
        description="seconds one batch of passages may take to be embedded; then it is asked for in halves",
    )
    embedding_wait_max_s: float = Field(
        default=3600,
        ge=0,
        description="seconds an ingestion waits for the embedding model, or its tokenizer, before it fails",
    )
    workflow_keep_days: int = Field(
        default=7, ge=1, le=400, description="days the record of a finished ingestion is kept"
    )
    embedding_cache_rows_max: int = Field(
        default=50_000, ge=0, description="vectors kept of texts that were embedded before"
    )
    embedding_cache_days: int = Field(
        default=30, ge=1, le=3650, description="days an unused one of them is kept"
    )

    vector_db: str = Field(
        default="qdrant",
        max_length=100,
        description="vector store: qdrant (embedded, or a server by QDRANT_URL) or chroma",
    )
    qdrant_url: str | None = Field(
        default=None, pattern="^https?://", description="a Qdrant server; unset: embedded, for one process"
    )
    qdrant_api_key: SecretStr | None = Field(default=None, description="key of the Qdrant server")
    chroma_url: str | None = Field(
        default=None,
        pattern="^https?://",
        description="a Chroma server, with VECTOR_DB=chroma; unset: embedded, for one process",
    )

    enable_rag_hybrid_search: bool = Field(
        default=True,
        description="searches that name no mode go by meaning and by words; false: by meaning alone",
    )
    search_inference_timeout_s: float = Field(
        default=20,
        gt=0,
        le=120,
        description="seconds a search waits for the vector of its question, and for the scores of a rerank",
    )
    reconciliation_interval_s: float = Field(
        default=3600, ge=10, description="seconds between comparisons of files, passages and vectors"
    )
    reconciliation_grace_s: float = Field(
        default=3600,
        ge=0,
        description="what belongs to no file is removed when it is still there after so many seconds",
    )

    ingestion_concurrency: int = Field(
        default=2,
        ge=1,
        le=16,
        description="files that one process reads at a time, one person's in all places but one; a small file"
        " of somebody else has a place of its own beside them",
    )
    ingestion_batch_chunks: int = Field(
        default=64, ge=1, le=256, description="passages that are embedded and stored at a time"
    )
    ingestion_stale_s: float = Field(
        default=1800, ge=60, description="seconds without progress after which an ingestion counts as lost"
    )

    chunk_tokens_max: int = Field(
        default=200, ge=32, le=250, description="longest passage; the embedding model reads 254 tokens"
    )
    chunk_overlap_tokens: int = Field(
        default=40, ge=0, le=100, description="tokens that neighbouring passages share at most"
    )
    chunks_max: int = Field(default=50_000, ge=1, le=1_000_000, description="most passages of one file")

    parser_confinement: Literal["full", "limits"] = Field(
        default="full",
        description="full: Landlock and seccomp shut in what reads a file, and no file is read where the"
        " kernel lacks them; limits: time and memory alone, for development on macOS",
    )
    parser_memory_bytes_max: int = Field(
        default=1024**3, ge=256 * 1024**2, description="address space of the process that reads one file"
    )
    parser_cpu_s_max: int = Field(
        default=300,
        ge=1,
        le=3600,
        description=(
            "seconds of a core that reading the largest file may take; a small one has 30, and 10 for each MB"
        ),
    )
    parser_wall_s_max: float = Field(
        default=600, gt=0, le=7200, description="seconds that reading one file may take"
    )
    parser_pages_max: int = Field(default=2000, ge=1, le=100_000, description="most pages of a PDF")
    parser_text_bytes_max: int = Field(
        default=64 * 1024**2, ge=1024, description="largest text, Markdown or HTML file that is read"
    )
    parser_text_chars_max: int = Field(
        default=20_000_000, ge=1000, description="most characters of text in one file"
    )
    parser_unpacked_bytes_max: int = Field(
        default=256 * 1024**2, ge=1024, description="what a DOCX may unpack to"
    )

    @field_validator("embedding_model")
    @classmethod
    def _is_the_built_in(cls, value: str) -> str:
        return built_in_embedding_model(value)
