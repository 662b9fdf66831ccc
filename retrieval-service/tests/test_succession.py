"""Two processes of the service, one after the other: the vectors and the workflows change hands, the rest is
always answered.
"""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from identities import KeyRing, make_principal
from retrieval_service.main import create_app
from retrieval_service.settings import RetrievalSettings
from retrieval_service.vectors.owner import FolderOwner
from servers import serve

FILES, SEARCH = "/api/v1/retrieval/files", "/api/v1/retrieval/search"
QUESTION = {"query": "herons", "mode": "bm25"}
KEYS = KeyRing()


@pytest.fixture
def settings(service_database: Any, tmp_path: Path) -> RetrievalSettings:
    fields = KEYS.settings_fields(
        "retrieval-service", database_url=service_database("retrieval-service").app_url
    )
    return RetrievalSettings(**fields, atrium_home=tmp_path)


@pytest_asyncio.fixture
async def clients() -> AsyncGenerator[Any]:
    opened: list[httpx.AsyncClient] = []

    def make(url: str) -> httpx.AsyncClient:
        opened.append(
            httpx.AsyncClient(
                base_url=url, headers=KEYS.user_headers(make_principal()), timeout=20, trust_env=False
            )
        )
        return opened[-1]

    yield make
    for client in opened:
        await client.aclose()


async def test_the_vectors_change_hands_while_both_processes_answer(
    settings: RetrievalSettings, clients: Any
) -> None:
    former, successor = create_app(settings), create_app(settings)
    successor.state.succession.follow()
    async with serve(former) as former_url, serve(successor) as url:
        old, new = clients(former_url), clients(url)
        assert (await old.post(SEARCH, json=QUESTION)).status_code == 200
        assert (await new.get(FILES)).status_code == 200
        unready = await new.get("/readyz")
        assert (unready.status_code, unready.json()["checks"]["succession"]) == (
            503,
            "waits for the former process",
        )

        searching = asyncio.create_task(new.post(SEARCH, json=QUESTION))
        await former.state.succession.release()
        assert (await old.get(FILES)).status_code == 200
        refused = await old.post(SEARCH, json=QUESTION)
        assert (refused.status_code, refused.json()["code"]) == (503, "handed_over")
        assert (await new.get(FILES)).status_code == 200
        assert not searching.done()

        successor.state.succession.take_turn()
        assert (await searching).status_code == 200
        assert (await new.get("/readyz")).status_code == 200


async def test_the_folder_of_vectors_is_free_before_the_former_process_has_ended(
    settings: RetrievalSettings, clients: Any
) -> None:
    app = create_app(settings)
    async with serve(app) as url:
        await app.state.succession.release()
        owner = FolderOwner(settings.atrium_home / "data" / "vectors", wait_s=0)
        await owner.acquire()
        owner.release()
        assert (await clients(url).get(FILES)).status_code == 200
