"""The request and answer of POST /v1/rerank, for OpenAPI; the hot path checks by hand."""

from typing import Literal

from pydantic import BaseModel, Field

from inference_service.rerank.request import DOCUMENTS_MAX


class RerankDocument(BaseModel):
    text: str


class RerankBody(BaseModel):
    """As Jina and Cohere define it, texts only."""

    model: str
    query: str
    documents: list[str | RerankDocument] = Field(min_length=1, max_length=DOCUMENTS_MAX)
    top_n: int | None = Field(
        default=None, ge=1, le=DOCUMENTS_MAX, description="how many of the best to answer; unset: all"
    )
    return_documents: bool = Field(default=False, description="repeat each text in its result")


class RerankResult(BaseModel):
    """`index` is the place in the request."""

    index: int
    relevance_score: float
    document: RerankDocument | None = None


class RerankUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class RerankAnswer(BaseModel):
    """Best first."""

    object: Literal["list"] = "list"
    model: str
    results: list[RerankResult]
    usage: RerankUsage
