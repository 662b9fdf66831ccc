"""Rules about agents, and the one place that decides who may see or change one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from shared.auth.principal import Principal
from shared.clock import utc_now
from shared.contracts.agents import ASSISTANT_AGENT_ID, Access, Agent, AgentFields, RunLimits, ToolChoice
from shared.ids import uuid7
from shared.pagination import Page, cursor, page_of
from sqlalchemy.ext.asyncio import AsyncSession

from agent_service.agents import repository
from agent_service.agents.builtin import ASSISTANT
from agent_service.agents.errors import (
    AgentNotFound,
    AgentReadOnly,
    LimitTooHigh,
    ToolTwice,
    ToolUnknown,
    TooManyAgents,
)
from agent_service.agents.models import AgentRow
from agent_service.agents.repository import Reader
from agent_service.agents.schemas import AgentPatch
from agent_service.agents.sources import AgentSources
from agent_service.settings import AgentSettings
from agent_service.tools.port import Toolbox


def view(row: AgentRow, principal: Principal) -> Agent:
    """The agent as the API shows it to `principal`."""
    return Agent(
        id=row.id,
        name=row.name,
        description=row.description,
        instructions=row.instructions,
        model=row.model,
        tools=[ToolChoice.model_validate(tool) for tool in row.tools],
        knowledge_base_ids=row.knowledge_base_ids,
        access=cast("Access", row.access),
        limits=RunLimits.model_validate(row.limits),
        writable=row.user_id == principal.actor_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


async def visible(session: AsyncSession, principal: Principal, agent_id: UUID) -> Agent:
    """The agent, if the caller may use it. Raises: AgentNotFound."""
    if agent_id == ASSISTANT_AGENT_ID:
        return ASSISTANT
    row = await repository.get_visible(session, _reader(principal), agent_id)
    if row is None:
        raise AgentNotFound
    return view(row, principal)


async def create(session: AsyncSession, principal: Principal, body: AgentFields, *, count_max: int) -> Agent:
    """A new agent whose fields were checked. Raises: TooManyAgents."""
    if await repository.count_own(session, user_id=principal.actor_id) >= count_max:
        raise TooManyAgents(count_max)
    now = utc_now()
    row = AgentRow(
        id=uuid7(),
        organisation_id=principal.organisation_id,
        team_id=principal.team_id,
        user_id=principal.actor_id,
        created_at=now,
        updated_at=now,
        **_columns(body, AgentFields.model_fields),
    )
    await repository.add(session, row)
    return view(row, principal)


async def patch(session: AsyncSession, principal: Principal, agent_id: UUID, body: AgentPatch) -> Agent:
    """The agent with the members that `body` sets. Raises: AgentNotFound, AgentReadOnly."""
    row = await _own_row(session, principal, agent_id)
    if body.model_fields_set:
        await repository.change(
            session, row.id, {**_columns(body, body.model_fields_set), "updated_at": utc_now()}
        )
        await session.refresh(row)
    return view(row, principal)


async def delete(session: AsyncSession, principal: Principal, agent_id: UUID) -> None:
    """Its runs stay. Raises: AgentNotFound, AgentReadOnly."""
    row = await _own_row(session, principal, agent_id)
    await repository.remove(session, row.id)


async def list_page(
    session: AsyncSession, principal: Principal, *, after: str | None, limit: int
) -> Page[Agent]:
    """The built-in agent, then others by age, newest first. Raises: CursorInvalid."""
    before = cursor(after)
    first = [ASSISTANT] if before is None else []
    if before == ASSISTANT_AGENT_ID:
        before = None
    rows = await repository.list_visible(
        session, _reader(principal), before=before, limit=limit + 1 - len(first)
    )
    return page_of([*first, *(view(row, principal) for row in rows)], limit=limit)


async def _own_row(session: AsyncSession, principal: Principal, agent_id: UUID) -> AgentRow:
    if agent_id == ASSISTANT_AGENT_ID:
        raise AgentReadOnly
    row = await repository.get_visible(session, _reader(principal), agent_id, lock=True)
    if row is None:
        raise AgentNotFound
    if row.user_id != principal.actor_id:
        raise AgentReadOnly
    return row


def _reader(principal: Principal) -> Reader:
    return Reader(user_id=principal.actor_id, organisation_id=principal.organisation_id)


def _columns(body: AgentFields | AgentPatch, names: Any) -> dict[str, Any]:
    """The named members as the table holds them."""
    values = {name: getattr(body, name) for name in names}
    if "tools" in values:
        values["tools"] = [tool.model_dump(mode="json") for tool in body.tools]
    if "limits" in values:
        values["limits"] = body.limits.model_dump(mode="json")
    if "knowledge_base_ids" in values:
        values["knowledge_base_ids"] = list(dict.fromkeys(body.knowledge_base_ids))
    return values


@dataclass(frozen=True, slots=True)
class FieldChecks:
    """What of an agent's fields only others can judge; asked before a transaction begins. One a process."""

    toolbox: Toolbox
    sources: AgentSources
    settings: AgentSettings

    async def check(self, principal: Principal, body: AgentFields | AgentPatch, *, names: set[str]) -> None:
        """Raises: Invalid or NotFound, naming the field; Unavailable."""
        if "limits" in names:
            check_limits(body.limits, self.settings)
        if "tools" in names:
            await self._check_tools(principal, [tool.name for tool in body.tools])
        if "knowledge_base_ids" in names:
            await self.sources.check(principal, knowledge_base_ids=body.knowledge_base_ids)

    async def _check_tools(self, principal: Principal, names: Sequence[str]) -> None:
        for index, name in enumerate(names):
            if name in names[:index]:
                raise ToolTwice(name)
        known = (
            {tool.name for tool in await self.toolbox.find(principal, tuple(names))} if names else set[str]()
        )
        for name in names:
            if name not in known:
                raise ToolUnknown(name)


def check_limits(limits: RunLimits, settings: AgentSettings) -> None:
    """Raises: LimitTooHigh."""
    allowed = {
        "steps_max": settings.run_steps_max,
        "tokens_max": settings.run_tokens_max,
        "duration_s_max": settings.run_duration_max_s,
    }
    for name, most in allowed.items():
        if name in limits.model_fields_set and getattr(limits, name) > most:
            raise LimitTooHigh(name, most)
