"""What an operator can set about the agent-service."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr
from shared.contracts.runs import TOOL_RESULT_CHARS_MAX
from shared.settings import ServiceSettings

SCHEMA_VERSION = 8
"""The migration this code needs at least."""


class AgentSettings(ServiceSettings):
    """Settings of the agent-service beside those every service has."""

    service: ClassVar[str] = "agent-service"

    port: int = Field(default=8002, ge=0, le=65535, description="port the service binds")
    drain_timeout_s: float = Field(
        default=10,
        ge=0,
        le=600,
        description="seconds steps under way get at shutdown; what is cut runs again at the next start",
    )
    executor_id: str = Field(
        default="agent-service",
        min_length=1,
        max_length=200,
        description="name of this replica; the process that comes back under it resumes the runs it left",
    )
    default_model: str = Field(
        default="qwen2.5-coder-0.5b-instruct",
        max_length=200,
        description="model of an agent or run that names none",
    )

    agents_per_user_max: int = Field(default=200, ge=1, description="agents one person may have")
    run_steps_max: int = Field(
        default=50, ge=1, le=50, description="most model steps the limits of an agent or run can allow"
    )
    run_tokens_max: int = Field(
        default=10_000_000, ge=1, description="most tokens the limits of an agent or run can allow"
    )
    run_duration_max_s: int = Field(
        default=86_400, ge=1, le=86_400, description="most seconds the limits of an agent or run can allow"
    )
    runs_open_per_user_max: int = Field(
        default=10, ge=1, description="runs of one person that may run or wait for approval at a time"
    )
    runs_running_max: int = Field(default=128, ge=1, description="runs that may be open in one process")
    run_wait_max_s: float = Field(
        default=900, gt=0, description="seconds a request without event stream waits for the end of its run"
    )
    run_output_max_bytes: int = Field(
        default=1024 * 1024, ge=1024, description="text of the model after which a run is ended"
    )
    run_file_max_bytes: int = Field(
        default=10 * 1024 * 1024, ge=1, description="largest file a tool of a run may make"
    )
    run_files_max_bytes: int = Field(default=50 * 1024 * 1024, ge=1, description="all files of one run")
    tool_calls_per_step_max: int = Field(
        default=8, ge=1, le=64, description="calls of one model step that are carried out"
    )
    tool_timeout_max_s: float = Field(
        default=300, gt=0, description="longest time-out of a tool call, whatever the tool says"
    )
    approval_wait_max_s: float = Field(
        default=86_400, gt=0, description="seconds after which a tool call nobody decided on is denied"
    )

    prompt_tokens_max: int = Field(
        default=64_000,
        ge=256,
        description=(
            "tokens a model step sends at most, estimated at three bytes each, within what the model can read"
        ),
    )
    model_wait_max_s: float = Field(
        default=900, ge=0, description="seconds a step waits for a model that loads or is busy"
    )
    model_retry_max_s: float = Field(
        default=5, gt=0, description="longest pause between two tries while waiting for a model"
    )
    provider_connect_timeout_s: float = Field(
        default=5, gt=0, description="seconds to connect to the inference-service"
    )
    provider_connect_wait_max_s: float = Field(
        default=15, ge=0, description="seconds a step waits for an inference-service that is down"
    )
    provider_first_token_timeout_s: float = Field(
        default=180, gt=0, description="seconds until the model's answer must begin"
    )
    provider_idle_timeout_s: float = Field(
        default=90, gt=0, description="seconds of silence after which a model step has failed"
    )

    event_interval_s: float = Field(
        default=0.075, gt=0, le=1, description="seconds of text that one event gathers"
    )
    cancel_poll_s: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="seconds between looks for runs that another process was asked to stop",
    )
    sweep_interval_s: float = Field(
        default=2,
        gt=0,
        description="seconds between looks for runs that were not begun or lost their workflow",
    )
    cost_interval_s: float = Field(
        default=1, gt=0, description="seconds between looks for the cost of steps that were cut"
    )
    cost_wait_max_s: float = Field(
        default=3600, gt=0, description="seconds after which an unknown cost is given up"
    )
    stop_cost_wait_s: float = Field(
        default=1, ge=0, description="seconds a run waits at its end for costs that are not known yet"
    )

    run_event_keep_days: int = Field(
        default=30,
        ge=2,
        le=3650,
        description="days an ended run's events can be read again; its steps and output stay",
    )
    run_keep_days: int = Field(
        default=365,
        ge=0,
        description="days an ended run is kept that belongs to no chat, with its files; 0: until a person"
        " deletes it. Runs of chats stay as long as their chat",
    )
    workflow_keep_days: int = Field(
        default=7, ge=1, le=400, description="days the record of a finished workflow is kept"
    )

    streams_per_user_max: int = Field(
        default=40, ge=1, description="open event streams of one person in one process"
    )
    stream_ping_s: float = Field(
        default=15, gt=0, description="seconds of silence after which a stream sends a comment"
    )
    stream_write_timeout_s: float = Field(
        default=30, gt=0, description="seconds after which a reader that takes nothing is cut off"
    )
    follow_poll_s: float = Field(
        default=0.3, gt=0, description="seconds between looks at the events of a run of another process"
    )

    tool_result_chars_max: int = Field(
        default=16_000,
        ge=500,
        le=TOOL_RESULT_CHARS_MAX,
        description="characters of an MCP tool's answer that a model gets to read",
    )
    search_result_chars_max: int = Field(
        default=6_000,
        ge=500,
        le=TOOL_RESULT_CHARS_MAX - 1_000,
        description="characters of passages that search_documents gives a model",
    )
    search_rerank: bool = Field(
        default=False, description="true: search_documents has its passages ranked again by their words"
    )
    mcp_servers_file: Path | None = Field(
        default=None,
        description=(
            "YAML file of MCP servers for all or some organisations; the only way to have programs started"
        ),
    )
    mcp_allow_private_addresses: bool | None = Field(
        default=None,
        description="whether MCP servers that administrators add may have addresses of the own network;"
        " unset: in ENV=dev only. Link-local and metadata addresses are always refused",
    )
    mcp_secrets_key: SecretStr | None = Field(
        default=None,
        description=(
            "secret that headers of MCP servers are encrypted under; unset: derived from SERVICE_SIGNING_KEY"
        ),
    )
    mcp_servers_per_organisation_max: int = Field(
        default=50, ge=1, le=1000, description="MCP servers an organisation can add"
    )
    mcp_check_interval_s: float = Field(
        default=300, gt=0, description="seconds between checks of an MCP server"
    )
    mcp_idle_s: float = Field(
        default=120,
        gt=0,
        description="seconds without a call after which the connection to an MCP server is closed",
    )
    mcp_calls_max: int = Field(
        default=8, ge=1, le=256, description="calls to one MCP server at a time; more wait"
    )
    mcp_answer_max_bytes: int = Field(
        default=16 * 1024 * 1024, ge=64 * 1024, description="largest message an MCP server can send"
    )

    code_enabled: bool = Field(default=True, description="false: no code is run, for people or agents")
    code_concurrency: int = Field(
        default=2,
        ge=1,
        le=64,
        description="runs of code at a time in one process; one person gets all but one",
    )
    code_queue_max: int = Field(
        default=16, ge=0, description="runs of code that may wait for a place; more are answered 429"
    )
    code_queue_per_user_max: int = Field(default=4, ge=0, description="as CODE_QUEUE_MAX, of one person")
    code_queue_wait_s: float = Field(
        default=60, gt=0, le=600, description="seconds a run of code waits for a place at most"
    )
    code_timeout_s: float = Field(
        default=30, gt=0, le=300, description="seconds a run of code gets when its caller names none"
    )
    code_memory_max_bytes: int = Field(
        default=1024 * 1024 * 1024,
        ge=512 * 1024 * 1024,
        description="address space of one run of code; numpy, pandas and matplotlib take about 350 MB of it",
    )
    code_output_max_bytes: int = Field(
        default=1024 * 1024, ge=1024, description="output of one run of code, after which it is ended"
    )
    code_disk_max_bytes: int = Field(
        default=64 * 1024 * 1024, ge=1024 * 1024, description="files one run of code may hold at a time"
    )
    code_keep_warm: bool = Field(
        default=True,
        description="the warm process of the sandbox starts 20 s after the service and stays, about 120 MB;"
        " false: with the first run of code, which then takes seconds, and until CODE_IDLE_S",
    )
    code_idle_s: float = Field(
        default=600,
        gt=0,
        description="seconds without code after which the warm process ends, with CODE_KEEP_WARM=false",
    )
    code_uid_first: int = Field(
        default=61_000,
        ge=1_000,
        le=2_000_000_000,
        description=(
            "first of 184 unused user ids; when the service runs as root, code runs under CODE_CONCURRENCY of"
            " them that no other service took"
        ),
    )
