"""Durable workflows on the service's own PostgreSQL: the one place that knows DBOS.

A workflow is a registered coroutine function over one JSON argument. What it does to the world goes into `step`s: the result of a finished
step is recorded, so a workflow that is started again after a crash gets it back instead of doing the work twice. A step that was cut runs
again. Between steps a workflow must decide by its argument and the results of steps alone.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

import orjson
from dbos import DBOS, DBOSConfig, SetWorkflowID
from dbos._serialization import Serializer

from shared.db import postgres_url

T = TypeVar("T")
Workflow = Callable[[Any], Awaitable[None]]
State = Literal["waiting", "running", "done", "failed", "cancelled"]

_POOL_MAX = 4  # and one connection that listens: 5 a process
_RECOVERIES_MAX = 50
_STATES: Mapping[str, State] = {
    "ENQUEUED": "waiting",
    "DELAYED": "waiting",
    "PENDING": "running",
    "SUCCESS": "done",
    "ERROR": "failed",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
    "CANCELLED": "cancelled",
}

log = logging.getLogger(__name__)


class StepFailedError(Exception):
    """The recorded failure of a step, as a workflow that is run again sees it: `kind` is the class name of the first one."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class _Json(Serializer):
    """JSON instead of pickle: a row of the database must never be able to run code."""

    def serialize(self, data: Any) -> str:
        return orjson.dumps(data, default=_plain).decode()

    def deserialize(self, serialized_data: str) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride] - the base calls its self `cls`
        data = orjson.loads(serialized_data)
        match data:
            case {"__error__": str(kind), "detail": str(detail)}:
                return StepFailedError(kind, detail)
            case _:
                return data

    def name(self) -> str:
        return "json"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseException):
        kind = value.kind if isinstance(value, StepFailedError) else type(value).__name__
        return {"__error__": kind, "detail": str(value)[:2000]}
    if isinstance(value, tuple | set | frozenset):
        return list(cast("tuple[Any, ...]", value))
    raise TypeError(f"{type(value).__name__} cannot be recorded; give workflows and steps plain JSON values")


@dataclass(frozen=True, slots=True)
class Queue:
    """Workflows that wait for their turn; `concurrency` of them run in one process."""

    name: str
    concurrency: int


_workflows: dict[str, Workflow] = {}  # DBOS is one to a process, and so is what it may run
_home: list[asyncio.AbstractEventLoop] = []  # the loop that launched it


@DBOS.workflow(name="workflow", max_recovery_attempts=_RECOVERIES_MAX)
async def _run(kind: str, argument: Any) -> None:
    work = _workflows[kind](argument)
    if asyncio.get_running_loop() in _home:
        await work
        return
    # The engine has a loop of its own for when ours pauses; connections belong to ours, so the work waits for it.
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_awaited(work), _home[0]))


async def _awaited(work: Awaitable[None]) -> None:
    await work


class DurableEngine:
    """The engine of one process. Build it in the lifespan, `launch` inside the running loop, `close` at the end.

    `version` pins which code may go on with a workflow that another process began: raise it when the steps of a workflow change.
    `executor_id` names the replica: a replica that comes back under its name goes on with what it had.
    """

    def __init__(self, *, service: str, database_url: str, schema: str, version: str, executor_id: str) -> None:
        config: DBOSConfig = {
            "name": service,
            "system_database_url": postgres_url(database_url),
            "dbos_system_schema": schema,
            "application_version": version,
            "executor_id": executor_id,
            "serializer": _Json(),
            "sys_db_pool_size": _POOL_MAX,
            "run_migrations": False,
            "max_executor_threads": 16,
            "log_level": "WARNING",
            "enable_otlp": False,
        }
        self._config = config
        self._queues: list[Queue] = []

    def register(self, kind: str, workflow: Workflow) -> None:
        """Name a workflow, before `launch`: unfinished ones go on as soon as the engine runs."""
        _workflows[kind] = workflow

    def add_queue(self, queue: Queue) -> None:
        """Declare a queue, before `launch`."""
        self._queues.append(queue)

    async def launch(self) -> None:
        """Start, and go on with what this replica left unfinished."""
        logging.getLogger("dbos").propagate = True
        DBOS(config=self._config)
        _home[:] = [asyncio.get_running_loop()]
        # Not in a thread: the loop that runs in the calling thread is where workflows run.
        DBOS.launch()
        for queue in self._queues:
            await DBOS.register_queue_async(
                queue.name, worker_concurrency=queue.concurrency, polling_interval_sec=0.2, on_conflict="always_update"
            )

    async def close(self) -> None:
        """Stop taking work. Workflows under way are left as they are and go on at the next start."""
        await asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=0)
        _workflows.clear()

    async def start(self, kind: str, argument: Any, *, workflow_id: str, queue: str | None = None) -> None:
        """Begin a workflow, at once or by its queue. An id that was started before is not started again."""
        with SetWorkflowID(workflow_id):
            if queue is None:
                await DBOS.start_workflow_async(_run, kind, argument)
            else:
                await DBOS.enqueue_workflow_async(queue, _run, kind, argument)

    async def cancel(self, workflow_id: str) -> None:
        """A waiting workflow never starts; a running one takes no further step and gets no chance to write down how it ended.

        So a service that lets people cancel keeps a flag of its own, which the steps read.
        """
        await DBOS.cancel_workflow_async(workflow_id)

    async def state(self, workflow_id: str) -> State | None:
        """How far a workflow is; None when there is none of this id."""
        status = await DBOS.get_workflow_status_async(workflow_id)
        return None if status is None else _STATES.get(status.status, "failed")

    async def send(self, workflow_id: str, topic: str, message: Any, *, key: str) -> None:
        """Leave a message for `receive`. The same key is delivered once."""
        await DBOS.send_async(workflow_id, message, topic, idempotency_key=key)


async def step(name: str, work: Callable[[], Awaitable[T]], *, attempts: int = 1, pause_s: float = 1) -> T:
    """Inside a workflow: the result of `work`, recorded. The result must be a JSON value. With several attempts pauses double.

    Raises: what `work` raised in its last attempt; StepFailedError when the failure is replayed.
    """

    async def run() -> T:
        return await work()

    options: Any = {"name": name, "retries_allowed": attempts > 1, "max_attempts": max(attempts, 2), "interval_seconds": pause_s}
    return await DBOS.run_step_async(options, run)


async def receive(topic: str, *, timeout_s: float) -> Any:
    """Inside a workflow: the next message of `topic`, or None after `timeout_s`; the deadline survives a restart."""
    return await DBOS.recv_async(topic, timeout_seconds=timeout_s)


async def pause(seconds: float) -> None:
    """Inside a workflow: sleep to a deadline that survives a restart."""
    await DBOS.sleep_async(seconds)


def migrate(owner_url: str, *, schema: str, application_role: str) -> None:
    """Bring the engine's own tables up to date as the schema's owner, and open them to the service's role."""
    logging.getLogger("dbos").setLevel(logging.WARNING)
    DBOS.migrate(postgres_url(owner_url), schema=schema, application_role=application_role)
