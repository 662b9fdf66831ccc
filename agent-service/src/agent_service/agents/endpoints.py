"""HTTP of agents."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.contracts.agents import Agent, AgentFields
from shared.dependencies import SessionDep
from shared.idempotency import IdempotencyKey, Once
from shared.pagination import After, Limit, Page

from agent_service.agents import service
from agent_service.agents.dependencies import FieldChecksDep, SettingsDep
from agent_service.agents.schemas import AgentPatch

Reader = Annotated[Principal, Depends(require(Permission.AGENTS_READ))]
Writer = Annotated[Principal, Depends(require(Permission.AGENTS_WRITE))]

router = APIRouter(prefix="/api/v1/agents", tags=["agents"])


@router.post("", status_code=201, summary="Make an agent", response_model=Agent)
async def create_agent(
    body: AgentFields,
    session: SessionDep,
    principal: Writer,
    checks: FieldChecksDep,
    settings: SettingsDep,
    key: IdempotencyKey = None,
) -> Response:
    await checks.check(principal, body, names=set(AgentFields.model_fields))
    once = Once(session, key, principal=principal.actor_id, route=router.prefix, body=body)
    if first := await once.first():
        return first
    return await once.answer(
        await service.create(session, principal, body, count_max=settings.agents_per_user_max)
    )


@router.get("", summary="Agents you can use: the built-in one, then the newest first")
async def list_agents(
    session: SessionDep, principal: Reader, limit: Limit = 50, after: After = None
) -> Page[Agent]:
    return await service.list_page(session, principal, after=after, limit=limit)


@router.get("/{agent_id}", summary="One agent")
async def read_agent(agent_id: UUID, session: SessionDep, principal: Reader) -> Agent:
    return await service.visible(session, principal, agent_id)


@router.patch("/{agent_id}", summary="Change an agent of yours")
async def patch_agent(
    agent_id: UUID, body: AgentPatch, session: SessionDep, principal: Writer, checks: FieldChecksDep
) -> Agent:
    await checks.check(principal, body, names=set(body.model_fields_set))
    return await service.patch(session, principal, agent_id, body)


@router.delete("/{agent_id}", status_code=204, summary="Delete an agent of yours; its runs stay")
async def delete_agent(agent_id: UUID, session: SessionDep, principal: Writer) -> None:
    await service.delete(session, principal, agent_id)
