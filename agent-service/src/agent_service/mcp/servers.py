"""The MCP servers of this process: which there are for whom, and a connection for each that is used."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from shared.auth.principal import Principal
from shared.background import TaskTracker
from shared.db import Database

from agent_service.mcp import repository
from agent_service.mcp.catalogue import CatalogueEntry, server_of
from agent_service.mcp.connection import Connection
from agent_service.mcp.metrics import McpMetrics
from agent_service.mcp.models import McpServerRow
from agent_service.mcp.port import Access, Approval, Limits, Opener, Server, ServerError, StreamableHttp
from agent_service.mcp.sealing import Seal, Unsealable
from agent_service.mcp.tool import McpTool
from agent_service.tools.port import Tool
from agent_service.tools.service import Offer

_CLOSE_S = 10.0
_CHECKS_AT_ONCE_MAX = 4


@dataclass(frozen=True, slots=True)
class KnownServer:
    """A server as it is configured now; `problem` says why it cannot even be tried."""

    server: Server
    row: McpServerRow | None = None
    problem: str | None = None


class McpServers:
    """Opens, keeps and closes connections; a source of tools."""

    def __init__(
        self,
        database: Database,
        open_session: Opener,
        *,
        from_file: Sequence[Server],
        seal: Seal,
        limits: Limits,
        metrics: McpMetrics,
        private_allowed: bool,
        check_interval_s: float,
    ) -> None:
        self._database = database
        self._open_session = open_session
        self._from_file = {server.name: server for server in from_file}
        self._seal = seal
        self._limits = limits
        self._metrics = metrics
        self._private_allowed = private_allowed
        self._check_interval_s = check_interval_s
        self._tasks = TaskTracker()
        self._connections: dict[UUID, Connection] = {}

    async def known(self, principal: Principal) -> list[KnownServer]:
        """The servers of the principal's organisation: those of the file first, then its own by name."""
        async with self._database.transaction() as session:
            rows = await repository.of_organisation(session, principal.organisation_id)
        shared = [
            KnownServer(server)
            for server in self._from_file.values()
            if _is_for(server, principal.organisation_id)
        ]
        return shared + [self._known(row) for row in rows]

    def from_file(self, principal: Principal, server_id: UUID) -> KnownServer | None:
        """The server of the operator's file with this id, when the principal's organisation may use it."""
        for server in self._from_file.values():
            if server.id == server_id and _is_for(server, principal.organisation_id):
                return KnownServer(server)
        return None

    def is_in_file(self, name: str) -> bool:
        return name in self._from_file

    def of_row(self, row: McpServerRow) -> KnownServer:
        """The server a row describes."""
        return self._known(row)

    def connection(self, server: Server) -> Connection:
        """The connection to `server`; one that was made for an earlier version of it is closed."""
        connection = self._connections.get(server.id)
        if connection is None or connection.server.revision != server.revision:
            if connection is not None:
                self._tasks.spawn(connection.close(), name=f"close MCP server {server.name}")
            connection = self._connections[server.id] = Connection(
                server, self._open_session, self._limits, self._tasks
            )
        return connection

    async def forget(self, server_id: UUID) -> None:
        """Close what is open to a server that is no more."""
        if (connection := self._connections.pop(server_id, None)) is not None:
            await connection.close()

    async def offers(self, principal: Principal) -> list[Offer]:
        """The tools of all servers the principal may use; a server that never answered has none to show."""
        servers = await self._usable(principal)
        listed = await asyncio.gather(*(self._catalogue(self.connection(server)) for server in servers))
        return [self.offer(connection, entry) for connection, entries in listed for entry in entries]

    def offer(self, connection: Connection, entry: CatalogueEntry) -> Offer:
        """One entry as an offer, with what keeps it from being called."""
        reason = (
            f"its server offers it in a way that cannot be used: {entry.refused}" if entry.refused else None
        )
        if reason is None and connection.health.error is not None and not connection.is_open:
            reason = f"the MCP server {connection.server.name} does not answer: {connection.health.error}"
        return Offer(McpTool(entry, connection, self._metrics), reason)

    async def find(self, principal: Principal, names: tuple[str, ...]) -> list[Tool]:
        """Those of `names` that a server the principal may use lists; only the servers they name
        are asked.
        """
        wanted = {server_of(name) for name in names}
        if not wanted - {""}:
            return []
        servers = await self._usable(principal)
        asked = (self._catalogue(self.connection(server)) for server in servers if server.name in wanted)
        found: list[Tool] = []
        for connection, entries in await asyncio.gather(*asked):
            # A server that fails now stays: its tools then say so when they are called.
            found += [
                McpTool(entry, connection, self._metrics)
                for entry in entries
                if entry.name in names and entry.refused is None
            ]
        return found

    async def _usable(self, principal: Principal) -> list[Server]:
        servers = [
            known.server
            for known in await self.known(principal)
            if known.problem is None and known.server.enabled
        ]
        return [server for server in servers if server.access.allows(principal)]

    async def _catalogue(self, connection: Connection) -> tuple[Connection, tuple[CatalogueEntry, ...]]:
        try:
            return connection, await connection.catalogue()
        except ServerError:
            return connection, ()

    async def check_due(self) -> None:
        """Check each server whose last check is long ago, one process for all; what was not in use is closed
        again.
        """
        async with self._database.transaction() as session:
            rows = await repository.every(session)
        known = [*map(KnownServer, self._from_file.values()), *map(self._known, rows)]
        present = {item.server.id for item in known}
        for gone in [server_id for server_id in self._connections if server_id not in present]:
            await self.forget(gone)
        servers = {
            item.server.id: item.server for item in known if item.problem is None and item.server.enabled
        }
        if not servers:
            return
        async with self._database.transaction() as session:
            revisions = {server.id: server.revision for server in servers.values()}
            mine = await repository.claim_checks(session, revisions, interval_s=self._check_interval_s)
            found = await repository.checks(
                session, [server_id for server_id in servers if server_id not in mine]
            )
        for server_id, check in found.items():
            self.connection(servers[server_id]).learn(check)
        slots = asyncio.Semaphore(_CHECKS_AT_ONCE_MAX)
        await asyncio.gather(*(self._check_one(servers[server_id], slots) for server_id in mine))

    async def _check_one(self, server: Server, slots: asyncio.Semaphore) -> None:
        async with slots:
            connection = self.connection(server)
            was_open = connection.is_open
            try:
                await connection.check()
            except ServerError:
                pass  # noted in its health, which the list of servers shows
            else:
                if not was_open:
                    await connection.close_if_unused()
            async with self._database.transaction() as session:
                await repository.note_check(session, server.id, connection.as_check())

    def _known(self, row: McpServerRow) -> KnownServer:
        headers: Mapping[str, str] = {}
        problem = None
        if self.is_in_file(row.name):
            problem = (
                "the operator's file names a server like this one, which comes first; rename or remove "
                "this one"
            )
        try:
            headers = self._seal.open(row.id, row.sealed_headers) if row.sealed_headers is not None else {}
        except Unsealable:
            problem = (
                "its headers cannot be read any more, the key of the service has changed; enter them again"
            )
        server = Server(
            id=row.id,
            name=row.name,
            source="api",
            target=StreamableHttp(row.url, headers, private_allowed=self._private_allowed),
            revision=row.updated_at.isoformat(),
            organisation_ids=frozenset({row.organisation_id}),
            tools=None if row.tools is None else frozenset(row.tools),
            connect_timeout_s=row.connect_timeout_s,
            call_timeout_s=row.call_timeout_s,
            enabled=row.enabled,
            access=Access(
                frozenset(row.access_roles), frozenset(row.access_team_ids), frozenset(row.access_user_ids)
            ),
            approval=cast("Approval", row.approval),
        )
        return KnownServer(server, row, problem)

    async def close(self) -> None:
        """End every session and every program."""
        await asyncio.gather(*(connection.close() for connection in self._connections.values()))
        await self._tasks.drain(_CLOSE_S)


def _is_for(server: Server, organisation_id: UUID) -> bool:
    return server.organisation_ids is None or organisation_id in server.organisation_ids
