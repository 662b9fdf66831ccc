"""Rules of MCP servers: who may see and change which, and what is acceptable."""

from typing import Any
from uuid import UUID

from pydantic import SecretStr
from shared.auth.permissions import Role
from shared.auth.principal import Principal
from shared.clock import utc_now
from shared.ids import uuid7
from sqlalchemy.ext.asyncio import AsyncSession

from agent_service.mcp import repository
from agent_service.mcp.addresses import AddressRefused, check_address, check_url, literal_address
from agent_service.mcp.errors import (
    ServerFromFile,
    ServerInvalid,
    ServerNameTaken,
    ServerNotFound,
    TooManyServers,
)
from agent_service.mcp.headers import HeaderRefused, check_headers
from agent_service.mcp.models import McpServerRow
from agent_service.mcp.port import Access, ServerError, Stdio
from agent_service.mcp.schemas import (
    McpAccess,
    McpCheck,
    McpServer,
    McpServerCreate,
    McpServerPatch,
    McpServerStatus,
)
from agent_service.mcp.sealing import Seal
from agent_service.mcp.servers import KnownServer, McpServers
from agent_service.tools import service as tools


class McpService:
    """What the routes do. Each method works in the caller's transaction."""

    def __init__(self, servers: McpServers, seal: Seal, *, private_allowed: bool, servers_max: int) -> None:
        self._servers = servers
        self._seal = seal
        self._private_allowed = private_allowed
        self._servers_max = servers_max

    async def list_all(self, principal: Principal) -> list[McpServer]:
        """The servers of the principal's organisation."""
        return [self.view(known) for known in await self._servers.known(principal)]

    async def get(self, session: AsyncSession, principal: Principal, server_id: UUID) -> KnownServer:
        """The one place that decides whether a principal sees a server. Raises: ServerNotFound."""
        if (known := self._servers.from_file(principal, server_id)) is not None:
            return known
        row = await repository.get(session, server_id=server_id, organisation_id=principal.organisation_id)
        if row is None:
            raise ServerNotFound
        return self._servers.of_row(row)

    async def create(self, session: AsyncSession, principal: Principal, body: McpServerCreate) -> McpServer:
        """Raises: ServerInvalid, ServerNameTaken, TooManyServers."""
        self._check_url(body.url)
        headers = _headers(body.headers)
        await repository.lock_organisation(session, principal.organisation_id)
        if await repository.count(session, principal.organisation_id) >= self._servers_max:
            raise TooManyServers(self._servers_max)
        taken = await repository.is_name_taken(
            session, name=body.name, organisation_id=principal.organisation_id
        )
        if taken or self._servers.is_in_file(body.name):
            raise ServerNameTaken
        now, server_id = utc_now(), uuid7()
        row = McpServerRow(
            id=server_id,
            organisation_id=principal.organisation_id,
            created_by=principal.actor_id,
            name=body.name,
            url=body.url,
            sealed_headers=self._seal.close(server_id, headers) if headers else None,
            header_names=sorted(headers),
            tools=body.tools,
            connect_timeout_s=body.connect_timeout_s,
            call_timeout_s=body.call_timeout_s,
            enabled=body.enabled,
            **_access_columns(body.access),
            approval=body.approval,
            created_at=now,
            updated_at=now,
        )
        await repository.add(session, row)
        return self.view(self._servers.of_row(row))

    async def patch(
        self, session: AsyncSession, principal: Principal, server_id: UUID, body: McpServerPatch
    ) -> McpServer:
        """Raises: ServerNotFound, ServerFromFile, ServerInvalid."""
        # Of two changes at once the second must see the headers the first one stored.
        await repository.lock_organisation(session, principal.organisation_id)
        row = _own_row(await self.get(session, principal, server_id))
        values: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
        empty = sorted(name for name, value in values.items() if value is None and name != "tools")
        if empty:
            raise ServerInvalid(f"{', '.join(empty)} cannot be null; leave it out to keep it")
        if body.url is not None:
            self._check_url(body.url)
            self._keep_secrets_from_strangers(row, body)
        if body.headers is not None:
            headers = _headers(body.headers)
            del values["headers"]
            values |= {
                "sealed_headers": self._seal.close(row.id, headers) if headers else None,
                "header_names": sorted(headers),
            }
        if body.access is not None:
            del values["access"]
            values |= _access_columns(body.access)
        values["updated_at"] = utc_now()
        await repository.change(session, server_id=row.id, values=values)
        await session.refresh(row)
        return self.view(self._servers.of_row(row))

    def _keep_secrets_from_strangers(self, row: McpServerRow, body: McpServerPatch) -> None:
        """Stored headers go to the address they were entered for; whoever changes it enters them again."""
        if row.sealed_headers is not None and body.headers is None and body.url != row.url:
            raise ServerInvalid("send the headers too when you change the URL, or {} to drop them")

    async def delete(self, session: AsyncSession, principal: Principal, server_id: UUID) -> None:
        """Raises: ServerNotFound, ServerFromFile."""
        row = _own_row(await self.get(session, principal, server_id))
        await repository.remove(session, server_id=row.id)

    async def forget(self, server_id: UUID) -> None:
        """After the deletion is committed: close what is open to it."""
        await self._servers.forget(server_id)

    async def check(self, known: KnownServer) -> McpCheck:
        """Connect to the server now and list its tools."""
        if known.problem is not None:
            return McpCheck(ok=False, latency_ms=None, error=known.problem, tools=[])
        connection = self._servers.connection(known.server)
        try:
            entries = await connection.check()
        except ServerError as error:
            return McpCheck(ok=False, latency_ms=None, error=str(error), tools=[])
        offered = [tools.view(self._servers.offer(connection, entry)) for entry in entries]
        return McpCheck(ok=True, latency_ms=connection.health.latency_ms, error=None, tools=offered)

    def view(self, known: KnownServer) -> McpServer:
        """The server as the API shows it, without a secret."""
        server, row = known.server, known.row
        stdio = isinstance(server.target, Stdio)
        header_names = (
            row.header_names
            if row
            else ([] if isinstance(server.target, Stdio) else sorted(server.target.headers))
        )
        return McpServer(
            id=server.id,
            name=server.name,
            source=server.source,
            transport="stdio" if stdio else "streamable_http",
            url=None if isinstance(server.target, Stdio) else server.target.url,
            command=server.target.command if isinstance(server.target, Stdio) else None,
            header_names=header_names,
            tools=None if server.tools is None else sorted(server.tools),
            connect_timeout_s=server.connect_timeout_s,
            call_timeout_s=server.call_timeout_s,
            enabled=server.enabled,
            access=_access_view(server.access),
            approval=server.approval,
            status=self._status(known),
            created_at=row.created_at if row else None,
            updated_at=row.updated_at if row else None,
        )

    def _status(self, known: KnownServer) -> McpServerStatus:
        connection = self._servers.connection(known.server)
        health, error = connection.health, known.problem or connection.health.error
        state = (
            "disabled"
            if not known.server.enabled
            else "failing"
            if error
            else "ok"
            if health.checked_at
            else "unchecked"
        )
        return McpServerStatus(
            state=state,
            connected=connection.is_open,
            checked_at=health.checked_at,
            latency_ms=health.latency_ms,
            tool_count=None if connection.entries is None else len(connection.entries),
            error=error,
            calls=health.calls,
            failures=health.failures,
        )

    def _check_url(self, url: str) -> None:
        """The form of the URL, and the address when it names one; what a host name resolves to is checked at
        each connect.
        """
        try:
            check_url(url)
            if (address := literal_address(url)) is not None:
                check_address(address, private_allowed=self._private_allowed)
        except AddressRefused as error:
            raise ServerInvalid(str(error)) from None


def _access_columns(access: McpAccess) -> dict[str, Any]:
    return {
        "access_roles": sorted({role.value for role in access.roles}),
        "access_team_ids": sorted(set(access.team_ids)),
        "access_user_ids": sorted(set(access.user_ids)),
    }


def _access_view(access: Access) -> McpAccess:
    roles = [role for role in Role if role in access.roles]
    return McpAccess(roles=roles, team_ids=sorted(access.team_ids), user_ids=sorted(access.user_ids))


def _own_row(known: KnownServer) -> McpServerRow:
    if known.row is None:
        raise ServerFromFile
    return known.row


def _headers(given: dict[str, SecretStr]) -> dict[str, str]:
    try:
        return check_headers({name: value.get_secret_value() for name, value in given.items()})
    except HeaderRefused as error:
        raise ServerInvalid(str(error)) from None
