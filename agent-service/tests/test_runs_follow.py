"""Readers of a run that another process carries out share one look at it."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from agent_service.events.follow import RunStreams
from agent_service.events.live import LiveRuns
from agent_service.records import event_repository
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
        seen = await asyncio.wait_for(asyncio.gather(*readers), 20)
    monkeypatch.undo()
    whole = b"".join([frame async for frame in streams.follow(UUID(run_id), 0)])
    assert set(seen) == {whole}
    assert streams._tails == {}


async def _never(*_arguments: Any, **_options: Any) -> Any:
    raise AssertionError("a reader went to the table by itself")


async def _all(streams: RunStreams, run_id: UUID) -> bytes:
    return b"".join([frame async for frame in streams.follow(run_id, 0)])


async def test_a_reader_that_has_it_all_is_told_the_end_again(person: Any, service: Any) -> None:
    run, events = await person.run()
    last = run["last_event_id"]
    for after in (last, last + 500):
        again = await person.events(run["id"], after)
        assert [(event.id, event.event) for event in again] == [(last, "done")]
    assert [event.id for event in await person.events(run["id"], last - 1)] == [last]
    assert events[-1].id == last


async def test_an_id_beyond_a_running_run_does_not_keep_its_readers_waiting(
    person: Any, others: Any, play: Any, service: Any
) -> None:
    more = asyncio.Event()
    others.plans += [play.says("first", until=more)]
    async with person.stream(str(ASSISTANT_AGENT_ID)) as (run_id, events):
        async for event in events:
            if event.event == "delta":
                break
        ahead = asyncio.ensure_future(person.events(run_id, 500))
        await asyncio.sleep(0.2)
        more.set()
        seen = await asyncio.wait_for(ahead, 20)
    assert [event.event for event in seen] == ["usage", "done"]


async def test_a_slow_reader_of_an_own_run_is_told_its_end_at_once(
    person: Any, others: Any, play: Any, service: Any
) -> None:
    live = service.app.state.runs._live
    streams = RunStreams(
        service.app.state.database, live, service.app.state.settings
    )  # nobody looks at others' runs for it
    more = asyncio.Event()
    others.plans += [play.says("first", until=more)]
    async with person.stream(str(ASSISTANT_AGENT_ID)) as (run_id, events):
        async for event in events:
            if event.event == "delta":
                break
        reader = streams.follow(UUID(run_id), 0)
        begun = await anext(reader)
        more.set()

        async def left() -> bool:
            return UUID(run_id) not in live.runs

        await play.until(left)
        rest = await asyncio.wait_for(_rest(reader), 20)
    assert b"event: delta" in begun
    assert b"event: done" in rest


async def _rest(reader: Any) -> bytes:
    return b"".join([frame async for frame in reader])
