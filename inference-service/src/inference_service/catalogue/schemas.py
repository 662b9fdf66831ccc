"""Models as clients see them: OpenAI's list, and ours with status and progress."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class OpenAIModel(BaseModel):
    """One entry of OpenAI's /v1/models."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="unix seconds: when it was made, or first seen here")
    owned_by: str


class OpenAIModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[OpenAIModel]


class Progress(BaseModel):
    """How far a built-in model is."""

    state: str
    downloaded_bytes: int | None = None
    total_bytes: int | None = None
    eta_s: float | None = None


class ModelView(BaseModel):
    """A model with what a picker shows."""

    id: str
    name: str
    provider: str
    kind: Literal["chat", "embedding"]
    context_length: int | None = Field(
        description="tokens it reads at most; always there, null only in answers of older versions"
    )
    context_source: Literal["provider", "setting", "table", "default"] = Field(
        description=(
            "who says so: its provider, the operator, the table of known models; or nobody, and it is assumed"
        )
    )
    output_tokens_max: int | None = Field(description="tokens of one answer at most; null: not known")
    capabilities: list[str]
    builtin: bool
    starter: bool = Field(description="a small model to begin with; answers are short and not always right")
    status: Literal["ready", "loading", "down"]
    progress: Progress | dict[str, Any] | None
    detail: str | None
    priced: bool | None = Field(
        description="whether billing knows its price or that it is free; null: not known now"
    )


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelView]
    has_more: bool = False
    last_id: str | None = None


class ModelWindow(BaseModel):
    """How much a model reads and writes, for the services that build prompts."""

    id: str
    context_length: int
    context_source: Literal["provider", "setting", "table", "default"]
    output_tokens_max: int | None


class ModelWindowList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelWindow]
