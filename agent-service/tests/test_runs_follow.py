"""Readers of a run that another process carries out share one look at it."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from agent_service.runs import event_repository
from agent_service.runs.follow import RunStreams
from agent_service.runs.live import LiveRuns
from shared.contracts.agents import ASSISTANT_AGENT_ID

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_many_readers_of_another_process_run_cost_one_look(
    person: Any, others: Any, play: Any, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = RunStreams(service.app.state.database, LiveRuns(), service.app.state.settings)
    own_reads: list[UUID] = []
    read = event_repository.read

    async def counted(session: Any, run_id: UUID, *, after: int, limit: int) -> Any:
        own_reads.append(run_id)
        return await read(session, run_id, after=after, limit=limit)

    more = asyncio.Event()
    others.plans += [play.says("first", until=more)]
    async with person.stream(str(ASSISTANT_AGENT_ID)) as (run_id, events):
        async for event in events:
            if event.event == "delta":
                break
        monkeypatch.setattr(event_repository, "read", counted)
        readers = [asyncio.ensure_future(_all(streams, UUID(run_id))) for _ in range(8)]

        async def caught_up() -> bool:
            return len(own_reads) >= len(readers)

        await play.until(caught_up)
        for _ in range(5):
            await streams.look()
        monkeypatch.setattr(event_repository, "read", read)
        assert len(own_reads) == len(readers), "nobody reads by itself once it has caught up"
        more.set()
        await person.until_status(run_id, "complete")
        await streams.look()
        monkeypatch.setattr(event_repository, "read", _never)
        seen = await asyncio.wait_for(asyncio.gather(*readers), 10)
    monkeypatch.undo()
    whole = b"".join([frame async for frame in streams.follow(UUID(run_id), 0)])
    assert set(seen) == {whole}
    assert streams._tails == {}


async def _never(*_arguments: Any, **_options: Any) -> Any:
    raise AssertionError("a reader went to the table by itself")


async def _all(streams: RunStreams, run_id: UUID) -> bytes:
    return b"".join([frame async for frame in streams.follow(run_id, 0)])
