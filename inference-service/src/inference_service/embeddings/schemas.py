"""The request and answer of POST /v1/embeddings, for OpenAPI; the hot path checks by hand."""

from typing import Literal

from pydantic import BaseModel, Field


class EmbeddingsBody(BaseModel):
    """As OpenAI defines it, texts only."""

    model: str
    input: str | list[str]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(
        default=None, ge=1, description="only for models that can shorten their vectors"
    )


class EmbeddingView(BaseModel):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(BaseModel):
    object: Literal["list"] = "list"
    data: list[EmbeddingView]
    model: str
    usage: EmbeddingsUsage
