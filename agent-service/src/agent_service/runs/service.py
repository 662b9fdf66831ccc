"""Rules of runs: beginning, reading, stopping, approving; and the one place that decides whose a run is."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.access import AccessEnd, EndReason
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.clock import monotonic_s, utc_now
from shared.contracts.agents import (
    Agent,
    InputMessage,
    InternalRunCreate,
    Run,
    RunCreate,
    RunLimits,
    RunStep,
    ToolChoice,
)
from shared.db import Database
from shared.durable import DurableEngine
from shared.idempotency import KeyedWrite
from shared.ids import uuid7
from shared.pagination import Page, cursor, page_of
from shared.wakeups import set_within
from sqlalchemy.ext.asyncio import AsyncSession

from agent_service.agents import service as agents
from agent_service.agents.sources import AgentSources
from agent_service.events.live import LiveRuns
from agent_service.loop.prompt import SEARCH_TOOL
from agent_service.loop.workflow import KIND, approval_topic, workflow_id
from agent_service.records import event_repository, repository, step_repository
from agent_service.records.models import FileRow, RunRow
from agent_service.records.spec import RunSpec
from agent_service.runs.errors import (
    CallNotFound,
    DecidedAlready,
    Draining,
    FileNotFound,
    InputInvalid,
    NothingToDecide,
    ProcessBusy,
    RunIdTaken,
    RunNotFound,
    TooManyRuns,
)
from agent_service.runs.views import run_view, step_view
from agent_service.settings import AgentSettings

_STOP_GRACE_S = 2.0


async def own_run(session: AsyncSession, principal: Principal, run_id: UUID, *, lock: bool = False) -> RunRow:
    """The run, if it is the caller's: everything about a run, its steps, events and files goes through here.
    Raises: RunNotFound.
    """
    row = await repository.get_own(session, run_id, user_id=principal.actor_id, lock=lock)
    if row is None:
        raise RunNotFound
    return row


class RunService:
    """One a process."""

    def __init__(
        self,
        database: Database,
        engine: DurableEngine,
        live: LiveRuns,
        *,
        sources: AgentSources,
        settings: AgentSettings,
    ) -> None:
        self._database = database
        self._engine = engine
        self._live = live
        self._sources = sources
        self._settings = settings
        self.draining = False

    async def start(
        self, principal: Principal, agent_id: UUID, body: RunCreate, *, write: KeyedWrite | None
    ) -> UUID:
        """Begin a run; a repeated write finds its first run. Raises: AppError."""
        self._check_room()
        agent = await self._agent(principal, agent_id)
        spec = await self._spec(principal, agent, body)
        model = body.model or agent.model or self._settings.default_model
        values = _row_values(principal, agent, spec, run_id=uuid7(), model=model, of_chat=False)
        async with self._database.transaction() as session:
            if write is not None and (first := await write.first(session)) is not None:
                return UUID(first["run_id"])
            await self._add(session, principal, values)
            if write is not None:
                await write.remember(session, {"run_id": str(values["id"])})
        await self._engine.start(KIND, str(values["id"]), workflow_id=workflow_id(values["id"]))
        return values["id"]

    async def start_named(self, principal: Principal, body: InternalRunCreate) -> Run:
        """Begin the run with the caller's id, or find it begun. An agent's own model goes before the one of
        the chat. Raises: AppError.
        """
        if (found := await self._find_named(principal, body)) is None:
            self._check_room()
            agent = await self._agent(principal, body.agent_id)
            spec = await self._spec(principal, agent, body)
            model = agent.model or body.model or self._settings.default_model
            async with self._database.transaction() as session:
                values = _row_values(principal, agent, spec, run_id=body.run_id, model=model, of_chat=True)
                await self._add(session, principal, values)
            found = await self._find_named(principal, body)
        if found is None:
            raise RunIdTaken
        await self._engine.start(KIND, str(body.run_id), workflow_id=workflow_id(body.run_id))
        return found

    async def _find_named(self, principal: Principal, body: InternalRunCreate) -> Run | None:
        async with self._database.transaction() as session:
            row = await repository.get(session, body.run_id)
            if row is None:
                return None
            if row.user_id != principal.actor_id or row.agent_id != body.agent_id:
                raise RunIdTaken
            return await _view(session, row)

    def _check_room(self) -> None:
        if self.draining:
            raise Draining
        if len(self._live) >= self._settings.runs_running_max:
            raise ProcessBusy

    async def _agent(self, principal: Principal, agent_id: UUID) -> Agent:
        async with self._database.transaction() as session:
            return await agents.visible(session, principal, agent_id)

    async def _add(self, session: AsyncSession, principal: Principal, values: dict[str, Any]) -> None:
        count_max = self._settings.runs_open_per_user_max
        if await repository.count_open(session, user_id=principal.actor_id) >= count_max:
            raise TooManyRuns(count_max)
        await repository.add(session, values)

    async def _spec(self, principal: Principal, agent: Agent, body: RunCreate) -> RunSpec:
        """What the run is to do. AgentSources the body names must be readable; of the agent's those that are
        not are left out.
        """
        messages = _messages(body)
        if body.limits is not None:
            agents.check_limits(body.limits, self._settings)
        await self._sources.check(
            principal, knowledge_base_ids=body.knowledge_base_ids, file_ids=body.file_ids
        )
        own = [base_id for base_id in agent.knowledge_base_ids if base_id not in body.knowledge_base_ids]
        bases = [*await self._sources.readable(principal, own), *dict.fromkeys(body.knowledge_base_ids)]
        tools = list(agent.tools)
        if (bases or body.file_ids) and all(tool.name != SEARCH_TOOL for tool in tools):
            tools.append(ToolChoice(name=SEARCH_TOOL))
        return RunSpec(
            instructions=agent.instructions,
            tools=tools,
            knowledge_base_ids=bases,
            file_ids=list(dict.fromkeys(body.file_ids)),
            limits=self._limits(agent.limits, body.limits),
            temperature=body.temperature,
            messages=messages,
        )

    def _limits(self, own: RunLimits, asked: RunLimits | None) -> RunLimits:
        """The least of the agent's, the body's and the operator's."""
        limits = own.model_dump(exclude_none=True)
        allowed = {
            "steps_max": self._settings.run_steps_max,
            "tokens_max": self._settings.run_tokens_max,
            "duration_s_max": self._settings.run_duration_max_s,
        }
        wanted = asked.model_dump(exclude_none=True, exclude_unset=True) if asked is not None else {}
        for name, most in [*allowed.items(), *wanted.items()]:
            limits[name] = min(limits.get(name, most), most)
        return RunLimits(**limits)

    async def authorise(self, principal: Principal, run_id: UUID) -> None:
        """Raises: RunNotFound."""
        async with self._database.transaction() as session:
            await own_run(session, principal, run_id)

    async def read(self, principal: Principal, run_id: UUID) -> Run:
        """Raises: RunNotFound."""
        async with self._database.transaction() as session:
            return await _view(session, await own_run(session, principal, run_id))

    async def list_page(
        self, principal: Principal, *, agent_id: UUID | None, after: str | None, limit: int
    ) -> Page[Run]:
        """The caller's runs, newest first, without their steps. Raises: CursorInvalid, RunNotFound."""
        async with self._database.transaction() as session:
            before = None
            if (last_id := cursor(after)) is not None:
                last = await own_run(session, principal, last_id)
                before = (last.created_at, last.id)
            user_id = principal.actor_id
            rows = await repository.list_own(
                session, user_id=user_id, agent_id=agent_id, before=before, limit=limit + 1
            )
            views = await _views(session, rows[:limit])
        return page_of(views, limit=limit, found=len(rows))

    async def cancel(self, principal: Principal, run_id: UUID) -> Run:
        """Stop the run, wherever it is carried out; what it wrote is kept. Cancelling an ended run changes
        nothing. Raises: RunNotFound.
        """
        async with self._database.transaction() as session:
            row = await own_run(session, principal, run_id, lock=True)
            is_open = repository.is_open(row)
            if is_open:
                await repository.change(session, run_id, {"cancel_requested": True})
        if is_open:
            await self._tell_ended([run_id], None)
            await self._until_ended(run_id)
        return await self.read(principal, run_id)

    async def delete(self, principal: Principal, run_id: UUID) -> None:
        """Remove the run with its steps, events and files, and end it before. Raises: RunNotFound, also when
        it is gone already.
        """
        async with self._database.transaction() as session:
            row = await own_run(session, principal, run_id)
        if repository.is_open(row):
            await self.cancel(principal, run_id)
        async with self._database.transaction() as session:
            await repository.remove(session, run_id)
        self._live.wakeups.wake(run_id)

    async def end_access(self, end: AccessEnd) -> None:
        """End the open runs of a person or key that may no longer run agents, in every process. To be told
        again changes nothing.
        """
        if not end.ends(Permission.AGENTS_RUN):
            return
        async with self._database.transaction() as session:
            ended = await repository.end_access(
                session, user_id=end.user_id, key_id=end.key_id, reason=end.reason.value
            )
        await self._tell_ended(ended, end.reason)

    async def _tell_ended(self, run_ids: Sequence[UUID], access: EndReason | None) -> None:
        """Those of this process at once, those that wait for a person by a message; other processes find the
        flag.
        """
        if not run_ids:
            return
        for run_id in run_ids:
            self._live.stop(run_id, access)
        async with self._database.transaction() as session:
            waiting = await step_repository.awaiting(session, run_ids)
        for call in waiting:
            key = f"cancel {call.run_id} {call.call_id}"
            await self._engine.send(workflow_id(call.run_id), approval_topic(call.call_id), None, key=key)

    async def _until_ended(self, run_id: UUID) -> None:
        """Until the run has ended, or has had long enough for it."""
        deadline_s = monotonic_s() + self._settings.stop_cost_wait_s + _STOP_GRACE_S
        with self._live.wakeups.watch(run_id) as changed:
            while (left_s := deadline_s - monotonic_s()) > 0:
                changed.clear()
                async with self._database.transaction() as session:
                    if await repository.has_ended(session, run_id):
                        return
                # A run of this process tells of its end; one of another process is looked at.
                await set_within(
                    changed,
                    left_s if run_id in self._live.runs else min(left_s, self._settings.follow_poll_s),
                )

    async def call(self, principal: Principal, run_id: UUID, call_id: str) -> RunStep:
        """A tool call of the run. Raises: RunNotFound, CallNotFound."""
        async with self._database.transaction() as session:
            await own_run(session, principal, run_id)
            row = await step_repository.get_call(session, run_id, call_id)
            if row is None:
                raise CallNotFound
            return step_view(row)

    async def decide(self, principal: Principal, run_id: UUID, call_id: str, *, decision: str) -> RunStep:
        """Let the call be made, or not. The same decision again changes nothing. Raises: AppError."""
        async with self._database.transaction() as session:
            await own_run(session, principal, run_id)
            row = await step_repository.get_call(session, run_id, call_id, lock=True)
            if row is None:
                raise CallNotFound
            if row.decision is None and row.status != "awaiting_approval":
                raise NothingToDecide
            if row.decision not in {None, decision}:
                raise DecidedAlready(str(row.decision))
            if row.decision is None:
                row.decision, row.decided_at = decision, utc_now()
                await session.flush()
            shown = step_view(row)
        await self._engine.send(
            workflow_id(run_id), approval_topic(call_id), None, key=f"decision {run_id} {call_id}"
        )
        return shown

    async def file(self, principal: Principal, run_id: UUID, file_id: UUID) -> FileRow:
        """A file the run made. Raises: RunNotFound, FileNotFound."""
        async with self._database.transaction() as session:
            await own_run(session, principal, run_id)
            row = await repository.get_file(session, run_id, file_id)
        if row is None:
            raise FileNotFound
        return row


async def _view(session: AsyncSession, row: RunRow) -> Run:
    attempts = await step_repository.all_attempts(session, row.id)
    usage = await step_repository.usage(session, [row.id])
    last_ids = await event_repository.last_ids(session, [row.id])
    return run_view(row, usage=usage.get(row.id), last_event_id=last_ids.get(row.id, 0), attempts=attempts)


async def _views(session: AsyncSession, rows: Sequence[RunRow]) -> list[Run]:
    ids = [row.id for row in rows]
    usage = await step_repository.usage(session, ids)
    last_ids = await event_repository.last_ids(session, ids)
    return [run_view(row, usage=usage.get(row.id), last_event_id=last_ids.get(row.id, 0)) for row in rows]


def _messages(body: RunCreate) -> list[InputMessage]:
    """The conversation, ending with what is to be answered. Raises: InputInvalid."""
    given = [InputMessage(role="user", content=body.input)] if isinstance(body.input, str) else body.input
    # PostgreSQL text cannot hold NUL.
    messages = [
        InputMessage(role=message.role, content=message.content.replace("\x00", "")) for message in given
    ]
    if messages[-1].role != "user" or not messages[-1].content.strip():
        raise InputInvalid
    return messages


def _row_values(
    principal: Principal, agent: Agent, spec: RunSpec, *, run_id: UUID, model: str, of_chat: bool
) -> dict[str, Any]:
    return {
        "of_chat": of_chat,
        "id": run_id,
        "organisation_id": principal.organisation_id,
        "team_id": principal.team_id,
        "user_id": principal.actor_id,
        "principal": principal.to_claims(),
        "key_id": principal.key_id,
        "agent_id": agent.id,
        "agent_name": agent.name,
        "model": model,
        "spec": spec.model_dump_json(),
        "input": spec.messages[-1].content,
        "status": "queued",
        "created_at": utc_now(),
    }
