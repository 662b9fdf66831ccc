"""Two processes of the service, one after the other: runs change hands, the rest is always answered."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import runs_service
from agent_runs import Service
from agent_service.main import create_app
from agent_service.settings import AgentSettings
from servers import serve
from shared.contracts.agents import ASSISTANT_AGENT_ID

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_run_that_is_begun_before_the_former_process_has_let_go_begins_after_that(
    runs_fields: dict[str, Any], keys: Any, others: Any, play: Any, tmp_path: Path
) -> None:
    toolbox = runs_service.ScriptedToolbox(tmp_path / "log")
    former, successor = (create_app(AgentSettings(**runs_fields), toolbox=toolbox) for _ in range(2))
    successor.state.succession.follow()
    async with serve(former) as former_url, serve(successor) as url:
        old = Service(former_url, former, keys, tmp_path / "log").person()
        new = Service(url, successor, keys, tmp_path / "log").person(old.principal)
        _, events = await old.run()
        assert play.text_of(events) == "Hello there!"
        assert (await new.http.get("/api/v1/agents")).status_code == 200
        assert (await new.http.get("/readyz")).json()["checks"][
            "succession"
        ] == "waits for the former process"

        async with new.stream(str(ASSISTANT_AGENT_ID)) as (run_id, following):
            assert (await new.get(run_id))["status"] == "queued"
            await former.state.succession.release()
            assert (await old.http.get("/api/v1/agents")).status_code == 200
            assert len(others.requests) == 1
            successor.state.succession.take_turn()
            async with asyncio.timeout(20):
                seen = [event async for event in following]
        assert play.text_of(seen) == "Hello there!"
        assert (await new.get(run_id))["status"] == "complete"
        assert len(others.requests) == 2
        for person in (old, new):
            await person.http.aclose()
