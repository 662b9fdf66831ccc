"""Durable workflows on the service's own PostgreSQL: the one place that knows DBOS.

A workflow is a registered coroutine function over one JSON argument. What it does to the world goes into
`step`s: the result of a finished step is recorded, so a workflow that is started again after a crash gets it
back instead of doing the work twice. A step that was cut runs again. Between steps a workflow must decide by
its argument and the results of steps alone.

Recorded results are good for one version of the code. What another version left unfinished is started again,
without them, by `take_over`: so a step also looks in the service's own rows whether it was done, or repeats
without harm, and arguments stay readable to later versions.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, Literal, TypeVar, cast

import orjson
import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, SetWorkflowID
from dbos._context import current_owner_xid
from dbos._core import WorkflowHandleAsyncTask
from dbos._dbos import _get_dbos_instance  # pyright: ignore[reportPrivateUsage] - as in `_take_over`
from dbos._error import DBOSWorkflowConflictIDError
from dbos._schemas.system_database import SystemSchema
from dbos._serialization import Serializer
from dbos._utils import INTERNAL_QUEUE_NAME

from shared.clock import monotonic_s, utc_now
from shared.db import postgres_url
from shared.ids import uuid7

T = TypeVar("T")
K = TypeVar("K")
Workflow = Callable[[Any], Awaitable[None]]
State = Literal["waiting", "running", "done", "failed", "cancelled"]

_POOL_MAX = 4  # and one connection that listens: 5 a process
_RECOVERIES_MAX = 50
_GONE_AFTER_S = 15.0
"""A process without connection for so long is gone; a database that restarts throws all of them out for a
moment.
"""
_TAKEN_MAX = 100
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
    """The recorded failure of a step, as a workflow that is run again sees it: `kind` is the class name of
    the first one.
    """

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
    """Workflows that wait for their turn; `concurrency` of them run in one process, which looks every
    `poll_s`.
    """

    name: str
    concurrency: int
    poll_s: float = 0.2


@dataclass(frozen=True, slots=True)
class _Holder:
    """Who alone could go on with a workflow as it is: one replica of a version with what it began, any with
    what waits in a queue.
    """

    version: str
    executor_id: str | None

    def lives(self, sessions: Collection[str], *, service: str) -> bool:
        """Whether one of these sessions of the database is its."""
        prefix = _session_name(service, self.version, self.executor_id or "")
        return any(name.startswith(prefix) for name in sessions)

    def holds(self) -> sa.ColumnElement[bool]:
        began = sa.and_(_status.c.status == "PENDING", _status.c.executor_id == self.executor_id)
        return sa.and_(
            _status.c.application_version == self.version,
            began if self.executor_id else _status.c.status == "ENQUEUED",
        )


def _session_name(service: str, version: str, executor_id: str) -> str:
    """What the engine of one process calls its connections: PostgreSQL keeps 63 bytes of it, and names may be
    long.
    """
    replica = _digest(executor_id) if executor_id else ""
    return f"{service[:30]}:{_digest(version)}:{replica}"


class _Missing(Generic[K]):
    """What each look of `_GONE_AFTER_S` missed."""

    def __init__(self) -> None:
        self._since_s: dict[K, float] = {}

    def still(self, missing: Iterable[K]) -> list[K]:
        """Those of `missing` that have been for long enough; one that is back is forgotten."""
        now_s = monotonic_s()
        self._since_s = {one: self._since_s.get(one, now_s) for one in missing}
        return [one for one, since_s in self._since_s.items() if now_s - since_s >= _GONE_AFTER_S]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


_status = SystemSchema.workflow_status
_results = SystemSchema.operation_outputs
_messages = SystemSchema.notifications
_workflows: dict[str, Workflow] = {}  # DBOS is one to a process, and so is what it may run
_home: list[asyncio.AbstractEventLoop] = []  # the loop that launched it


@DBOS.workflow(name="workflow", max_recovery_attempts=_RECOVERIES_MAX)
async def _run(kind: str, argument: Any) -> None:
    work = _workflows[kind](argument)
    if asyncio.get_running_loop() in _home:
        await work
        return
    # The engine has a loop of its own for when ours pauses; connections belong to ours, so the work waits for
    # it.
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_awaited(work), _home[0]))


async def _awaited(work: Awaitable[None]) -> None:
    await work


class DurableEngine:
    """The engine of one process. Build it in the lifespan, `launch` inside the running loop, `close` at the
    end.

    `version` pins which code may go on with the recorded steps of a workflow: raise it when the steps of a
    workflow change. `executor_id` names the replica: a replica that comes back under its name continues with
    what it had.
    """

    def __init__(
        self, *, service: str, database_url: str, schema: str, version: str, executor_id: str
    ) -> None:
        self._executor_id = executor_id
        # Its last part tells a process from another of the same name.
        self._session = f"{_session_name(service, version, executor_id)}:{uuid7().hex[-6:]}"
        config: DBOSConfig = {
            "name": service,
            "system_database_url": postgres_url(database_url),
            "dbos_system_schema": schema,
            "application_version": version,
            "executor_id": executor_id,
            "serializer": _Json(),
            "sys_db_pool_size": _POOL_MAX,
            "db_engine_kwargs": {"connect_args": {"application_name": self._session}},
            "run_migrations": False,
            "max_executor_threads": 16,
            "log_level": "WARNING",
            "enable_otlp": False,
        }
        self._config = config
        self._service = service
        self._version = version
        self._queues: list[Queue] = []
        self._missing_holders = _Missing[_Holder]()
        self._idle = _Missing[str]()
        self._registered: dict[str, Workflow] = {}
        self._launched = False
        self._asked_before: list[Callable[[], Awaitable[object]]] = []

    def register(self, kind: str, workflow: Workflow) -> None:
        """Name a workflow, before `launch`: unfinished ones go on as soon as the engine runs."""
        _workflows[kind] = self._registered[kind] = workflow

    def add_queue(self, queue: Queue) -> None:
        """Declare a queue, before `launch`."""
        self._queues.append(queue)

    async def launch(self) -> None:
        """Start, and go on with what this replica left unfinished."""
        logging.getLogger("dbos").propagate = True
        self._dbos = DBOS(config=self._config)
        _home[:] = [asyncio.get_running_loop()]
        # Not in a thread: the loop that runs in the calling thread is where workflows run.
        DBOS.launch()
        for queue in self._queues:
            await DBOS.register_queue_async(
                queue.name,
                worker_concurrency=queue.concurrency,
                polling_interval_sec=queue.poll_s,
                on_conflict="always_update",
            )
        while self._asked_before:
            try:
                await self._asked_before.pop(0)()
            except Exception:
                # Whoever asked has it in rows of its own, and looks after what never began.
                log.exception("what was asked for before the engine ran could not be done")
        self._launched = True

    async def close(self) -> None:
        """Stop taking work. Workflows under way are left as they are and go on at the next start."""
        self._launched = False
        # The engine lent the loop its threads and takes them away: who closes later still needs some.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        await asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=0)
        for kind, workflow in self._registered.items():
            if _workflows.get(kind) is workflow:  # the next engine of this process may have named its own
                del _workflows[kind]

    async def start(
        self, kind: str, argument: Any, *, workflow_id: str, queue: str | None = None
    ) -> asyncio.Future[Any] | None:
        """Begin a workflow, at once or by its queue. An id that was started before is not started again.

        Before `launch` it is remembered, in this process alone; after `close` nothing comes of it, and the
        next process looks after it.

        Returns: what is done when the workflow has ended in this process; None if it did not begin here now.
        """

        async def begin() -> asyncio.Future[Any] | None:
            with SetWorkflowID(workflow_id):
                if queue is None:
                    handle = await DBOS.start_workflow_async(_run, kind, argument)
                else:
                    handle = await DBOS.enqueue_workflow_async(queue, _run, kind, argument)
            if not isinstance(handle, WorkflowHandleAsyncTask):
                return None
            return cast("WorkflowHandleAsyncTask[None]", handle).task

        return await self._when_launched(begin)

    async def _when_launched(self, work: Callable[[], Awaitable[T]]) -> T | None:
        if self._launched:
            return await work()
        self._asked_before.append(work)
        return None

    async def take_over(self) -> list[str]:
        """Start again, under this version, what processes of other versions left unfinished and are no longer
        there to finish, and continue what this process has claimed and does not run; the ids of both.

        A workflow of another version keeps its id, argument and queue; its recorded steps are forgotten, and
        it hears all its messages again. What a living process can go on with is left alone. A process is
        gone, and a workflow does not run, when each look of `_GONE_AFTER_S` missed it, so call this
        periodically, from as many processes as there are; 100 workflows a call and version at most.
        """
        return await asyncio.to_thread(self._take_over)

    def _take_over(self) -> list[str]:
        taken: list[str] = []
        engine = self._dbos._sys_db.engine  # pyright: ignore[reportPrivateUsage] - the engine offers this in no other way
        with engine.connect() as connection:
            gone, idle = self._gone(connection), self._claimed_idle(connection)
        for holder in gone:
            # One transaction: a process that dies in it has changed nothing, and afterwards there is nothing
            # left to do.
            with engine.begin() as connection:
                taken += self._begin_anew(connection, holder)
        if taken:
            log.warning(
                "unfinished workflows of another version start again",
                extra={"version": self._version, "workflows": len(taken)},
            )
        return taken + self._continue(idle)

    def _claimed_idle(self, connection: sa.Connection) -> list[str]:
        """What is under way in this process's name and has not run in it for long enough: the database went
        away between claim and start, or its task was cancelled.
        """
        mine = _Holder(self._version, self._executor_id)
        claimed = sa.select(_status.c.workflow_uuid).where(
            mine.holds(), _status.c.application_name == self._service
        )
        ids = set(connection.execute(claimed).scalars())
        ids -= set(self._dbos._active_workflows_set.activeList())  # pyright: ignore[reportPrivateUsage] - as in `_take_over`
        others = _sessions(connection) - {self._session} if ids else set[str]()
        # A process of the same name lives: what seems idle here may run there.
        return self._idle.still(() if mine.lives(others, service=self._service) else ids)

    def _continue(self, idle: Sequence[str]) -> list[str]:
        """The engine's own recovery, which it does by itself only as it starts."""
        database = self._dbos._sys_db  # pyright: ignore[reportPrivateUsage] - as in `_take_over`
        again = [
            workflow_id
            for workflow_id in idle
            if database.reenqueue_for_recovery(workflow_id, [self._executor_id], INTERNAL_QUEUE_NAME)
        ]
        if again:
            log.warning("claimed workflows did not run and continue now", extra={"workflows": len(again)})
        return again

    def _gone(self, connection: sa.Connection) -> list[_Holder]:
        """Holders of unfinished workflows of other versions that have been missing for long enough."""
        executor_id = sa.case((_status.c.status == "PENDING", _status.c.executor_id))
        query = sa.select(_status.c.application_version, executor_id).where(
            _status.c.status.in_(("ENQUEUED", "PENDING")),
            _status.c.application_version != self._version,
            _status.c.application_name == self._service,
        )
        holders = [_Holder(row[0], row[1]) for row in connection.execute(query.distinct())]
        sessions = _sessions(connection) if holders else ()
        return self._missing_holders.still(
            holder for holder in holders if not holder.lives(sessions, service=self._service)
        )

    def _begin_anew(self, connection: sa.Connection, holder: _Holder) -> Sequence[str]:
        held = sa.select(_status.c.workflow_uuid).where(
            holder.holds(), _status.c.application_name == self._service
        )
        # What another process is at right now is its; the rest of such a moment is for the next look.
        held = held.order_by(_status.c.created_at).limit(_TAKEN_MAX).with_for_update(skip_locked=True)
        taken = connection.execute(held).scalars().all()
        values: dict[str, Any] = {
            "status": "ENQUEUED",
            "application_version": self._version,
            "queue_name": sa.func.coalesce(_status.c.queue_name, INTERNAL_QUEUE_NAME),
            "owner_xid": None,  # whoever still worked on it can record nothing more
            "started_at_epoch_ms": None,
            "recovery_attempts": 0,
            "updated_at": sa.cast(sa.extract("epoch", sa.func.now()) * 1000, sa.BigInteger),
        }
        connection.execute(sa.update(_status).where(_status.c.workflow_uuid.in_(taken)).values(values))
        connection.execute(sa.delete(_results).where(_results.c.workflow_uuid.in_(taken)))
        unheard = {"consumed": False, "consumed_by_function_id": None}
        connection.execute(
            sa.update(_messages).where(_messages.c.destination_uuid.in_(taken)).values(unheard)
        )
        return taken

    async def cancel(self, workflow_id: str) -> None:
        """A waiting workflow never starts; a running one takes no further step and gets no chance to write
        down how it ended.

        So a service that lets people cancel keeps a flag of its own, which the steps read.
        """
        await DBOS.cancel_workflow_async(workflow_id)

    async def purge_finished(self, *, keep: timedelta, rows_max: int) -> int:
        """Delete workflows that ended longer ago than `keep` with their steps and messages, `rows_max` at
        most; how many.
        """
        ended = [status for status, state in _STATES.items() if state not in ("waiting", "running")]
        before = (utc_now() - keep).isoformat()
        found = await DBOS.list_workflows_async(
            status=ended,
            completed_before=before,
            limit=rows_max,
            load_input=False,
            load_output=False,
            application_name=self._service,
        )
        ids = [one.workflow_id for one in found]
        if ids:
            await DBOS.delete_workflows_async(ids)
        return len(ids)

    async def state(self, workflow_id: str) -> State | None:
        """How far a workflow is; None when there is none of this id."""
        status = await DBOS.get_workflow_status_async(workflow_id)
        return None if status is None else _STATES.get(status.status, "failed")

    async def send(self, workflow_id: str, topic: str, message: Any, *, key: str) -> None:
        """Leave a message for `receive`. The same key is delivered once. Before `launch` as with `start`."""
        await self._when_launched(lambda: DBOS.send_async(workflow_id, message, topic, idempotency_key=key))


def _sessions(connection: sa.Connection) -> set[str]:
    """What the service's sessions in this database are called."""
    query = (
        "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND usename = "
        "current_user"
    )
    return set(connection.execute(sa.text(query)).scalars())


async def step(name: str, work: Callable[[], Awaitable[T]], *, attempts: int = 1, pause_s: float = 1) -> T:
    """Inside a workflow: the result of `work`, recorded. The result must be a JSON value. With several
    attempts pauses double.

    Raises: what `work` raised in its last attempt; StepFailedError when the failure is replayed.
    """

    async def run() -> T:
        await asyncio.to_thread(_check_owned)
        return await work()

    options: Any = {
        "name": name,
        "retries_allowed": attempts > 1,
        "max_attempts": max(attempts, 2),
        "interval_seconds": pause_s,
    }
    return await DBOS.run_step_async(options, run)


def _check_owned() -> None:
    """Before each attempt: who was taken for gone must not begin again what another process is at. The engine
    asks only as it records.
    """
    workflow_id = DBOS.workflow_id
    if workflow_id is not None:
        mine = current_owner_xid(workflow_id)
        owner = _get_dbos_instance()._sys_db.get_workflow_owner(workflow_id)  # pyright: ignore[reportPrivateUsage] - as in `_take_over`
        if owner != mine:
            raise DBOSWorkflowConflictIDError(workflow_id)


async def receive(topic: str, *, timeout_s: float) -> Any:
    """Inside a workflow: the next message of `topic`, or None after `timeout_s`; the deadline survives a
    restart.
    """
    return await DBOS.recv_async(topic, timeout_seconds=timeout_s)


async def pause(seconds: float) -> None:
    """Inside a workflow: sleep to a deadline that survives a restart."""
    await DBOS.sleep_async(seconds)


def migrate(owner_url: str, *, schema: str, application_role: str) -> None:
    """Bring the engine's own tables up to date as the schema's owner, and open them to the service's role."""
    logging.getLogger("dbos").setLevel(logging.WARNING)
    DBOS.migrate(postgres_url(owner_url), schema=schema, application_role=application_role)
