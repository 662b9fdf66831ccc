"""What an operator can set about the chat-service."""

from typing import ClassVar

from pydantic import Field
from shared.settings import ServiceSettings

SCHEMA_VERSION = 5
"""The migration this code needs at least."""


class ChatSettings(ServiceSettings):
    """Settings of the chat-service beside those every service has."""

    service: ClassVar[str] = "chat-service"

    port: int = Field(default=8004, ge=0, le=65535, description="port the service binds")
    drain_timeout_s: float = Field(
        default=10,
        ge=0,
        le=600,
        description="seconds running replies get at shutdown before they are interrupted",
    )
    default_model: str = Field(
        default="qwen2.5-coder-0.5b-instruct", max_length=200, description="model of a chat that names none"
    )

    message_content_max_bytes: int = Field(
        default=256 * 1024, ge=1, le=4_000_000, description="largest message a person can send"
    )
    reply_content_max_bytes: int = Field(
        default=1024 * 1024, ge=1024, description="text after which a reply is cut"
    )
    history_messages_max: int = Field(
        default=500, ge=1, le=1000, description="messages of the branch that a turn sends to the model"
    )
    history_tokens_max: int = Field(
        default=200_000,
        ge=1,
        description="tokens of history a turn sends at most, estimated at three bytes each, within what the"
        " model can read; the newest message always goes. A lower cap makes long chats cheaper and forgetful",
    )
    siblings_max: int = Field(default=100, ge=2, le=1000, description="versions of one message")

    turns_running_per_user_max: int = Field(
        default=4, ge=1, description="replies that may stream for one person at a time"
    )
    turns_running_max: int = Field(default=256, ge=1, description="replies that may stream in one process")
    streams_per_user_max: int = Field(
        default=20, ge=1, description="open reply streams of one person in one process"
    )
    turn_duration_max_s: float = Field(default=1800, gt=0, description="seconds after which a reply is ended")
    model_wait_max_s: float = Field(
        default=900, ge=0, description="seconds a turn waits for a model that loads or is busy"
    )
    model_retry_max_s: float = Field(
        default=5, gt=0, description="longest pause between two tries while waiting for a model"
    )
    provider_connect_timeout_s: float = Field(
        default=5, gt=0, description="seconds to connect to the inference-service"
    )
    provider_connect_wait_max_s: float = Field(
        default=15,
        ge=0,
        description="seconds a turn waits for a service that is down, before anything was dispatched",
    )
    provider_first_token_timeout_s: float = Field(
        default=180, gt=0, description="seconds until the model's answer must begin"
    )
    provider_idle_timeout_s: float = Field(
        default=90, gt=0, description="seconds of silence after which a reply has failed"
    )

    rag_k: int = Field(default=5, ge=1, le=50, description="passages a reply from documents gets at most")
    rag_rerank: bool = Field(
        default=True, description="whether passages are ordered again by how well they fit the question"
    )
    branch_files_max: int = Field(
        default=200, ge=1, le=200, description="files of a branch that replies are looked up in, newest first"
    )
    retrieval_timeout_s: float = Field(default=30, gt=0, description="seconds until a look-up must answer")
    agent_wait_max_s: float = Field(
        default=120, ge=0, description="seconds a reply waits for an agent-service that is down"
    )
    agent_stop_wait_s: float = Field(
        default=30, gt=0, description="seconds a stopped run gets to end before its reply does"
    )
    agent_turn_duration_max_s: float = Field(
        default=90_000,
        gt=0,
        description=(
            "seconds after which the reply of an agent is ended; runs have shorter limits of their own"
        ),
    )
    agent_idle_timeout_s: float = Field(
        default=45, gt=15, description="seconds without a sign of life after which a run is asked again"
    )

    turn_lease_s: float = Field(
        default=10, gt=0, description="seconds without a heartbeat after which a reply counts as interrupted"
    )
    reaper_interval_s: float = Field(
        default=1, gt=0, description="seconds between looks for replies whose process died"
    )
    journal_flush_interval_s: float = Field(
        default=0.15, gt=0, le=0.2, description="seconds a shown token may wait for its journal row"
    )
    journal_retention_s: float = Field(
        default=900, ge=0, description="seconds an ended reply can be resumed by event id"
    )
    turn_keep_days: int = Field(
        default=30,
        ge=2,
        le=3650,
        description="days the record of how a reply was written is kept; the reply itself stays",
    )
    outbox_keep_days: int = Field(
        default=7, ge=2, le=400, description="days an event is kept that was delivered"
    )
    cost_interval_s: float = Field(
        default=1, gt=0, description="seconds between looks for the cost of stopped and interrupted replies"
    )
    cost_wait_max_s: float = Field(
        default=3600, gt=0, description="seconds after which an unknown cost is given up"
    )
    stop_cost_wait_s: float = Field(
        default=1, ge=0, description="seconds a stopped reply waits for its cost before it is shown"
    )

    stream_ping_s: float = Field(
        default=15, gt=0, description="seconds of silence after which a stream sends a comment"
    )
    stream_write_timeout_s: float = Field(
        default=30, gt=0, description="seconds after which a reader that takes nothing is cut off"
    )
    stream_lag_max: int = Field(
        default=2000, ge=1, description="events a reader may be behind before it is cut off"
    )
    follow_poll_s: float = Field(
        default=1, gt=0, description="seconds between looks at the journal of a reply of another process"
    )
