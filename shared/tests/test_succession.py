"""The order in which two processes of a service own what only one may own."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from shared.succession import HandedOver, Succession

from shared import succession as succession_module


class Folder:
    """What only one may own; `events` is the order of what happened to it."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.broken = False

    async def take(self, owned: AsyncExitStack) -> None:
        if self.broken:
            owned.callback(self.events.append, "half closed")
            raise OSError("the folder cannot be read")
        self.events.append("opened")
        owned.callback(self.events.append, "closed")


async def turns() -> None:
    """Let everything that can run do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_without_a_former_process_it_owns_from_the_start_to_the_end() -> None:
    folder, succession = Folder(), Succession()
    async with succession.owning(folder.take):
        assert (folder.events, succession.waits) == (["opened"], False)
        async with succession.using():
            pass
    assert folder.events == ["opened", "closed"]


async def test_what_cannot_be_opened_at_the_start_ends_the_start() -> None:
    folder, succession = Folder(), Succession()
    folder.broken = True
    with pytest.raises(OSError, match="cannot be read"):
        async with succession.owning(folder.take):
            pytest.fail("it has started")
    assert folder.events == ["half closed"]


async def test_a_successor_starts_without_owning_and_takes_at_its_turn() -> None:
    folder, succession = Folder(), Succession()
    succession.follow()
    async with succession.owning(folder.take):
        await turns()
        assert (folder.events, succession.waits) == ([], True)
        using = asyncio.create_task(use(succession, folder.events.append))
        await turns()
        assert not using.done()
        succession.take_turn()
        await using
        assert (folder.events, succession.waits) == (["opened", "used"], False)
    assert folder.events == ["opened", "used", "closed"]


async def use(succession: Succession, note: Callable[[str], None]) -> None:
    async with succession.using():
        note("used")


async def test_a_successor_whose_turn_never_comes_opens_nothing() -> None:
    folder, succession = Folder(), Succession()
    succession.follow()
    async with succession.owning(folder.take):
        await turns()
    succession.take_turn()
    await turns()
    assert folder.events == []


async def test_who_waits_too_long_is_told_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(succession_module, "_WAIT_MAX_S", 0.01)
    folder, succession = Folder(), Succession()
    succession.follow()
    async with succession.owning(folder.take):
        with pytest.raises(HandedOver):
            await use(succession, folder.events.append)


async def test_it_lets_go_before_its_end_once_those_who_use_it_have_ended() -> None:
    folder, succession = Folder(), Succession()
    async with succession.owning(folder.take):
        end = asyncio.Event()

        async def search() -> None:
            async with succession.using():
                await end.wait()
                folder.events.append("used")

        searching = asyncio.create_task(search())
        await turns()
        releasing = asyncio.create_task(succession.release())
        await turns()
        assert folder.events == ["opened"]
        end.set()
        await releasing
        await searching
        assert folder.events == ["opened", "used", "closed"]
        with pytest.raises(HandedOver):
            await use(succession, folder.events.append)
    assert folder.events == ["opened", "used", "closed"]


async def test_who_uses_it_for_too_long_does_not_keep_it() -> None:
    folder, succession = Folder(), Succession()
    async with succession.owning(folder.take, uses_max_s=0.01), succession.using():
        await succession.release()
        assert folder.events == ["opened", "closed"]


async def test_what_cannot_be_opened_at_its_turn_is_reported_and_given_back() -> None:
    folder, succession, failures = Folder(), Succession(), list[str]()
    folder.broken = True
    succession.follow()
    succession.when_failed = lambda: failures.append("failed")
    async with succession.owning(folder.take):
        succession.take_turn()
        await turns()
        assert (failures, folder.events, succession.waits) == (["failed"], ["half closed"], True)
