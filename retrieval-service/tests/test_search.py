"""Search through HTTP: access, modes, fusion, reranking, traces, and what happens while the model is away."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from identities import make_principal
from retrieval_service.chunks.service import StoredChunk
from retrieval_service.main import create_app
from retrieval_service.search.choosing import choose
from retrieval_service.search.fusion import Hit, fuse
from retrieval_service.settings import RetrievalSettings
from retrieval_service.vectors.port import Scored
from search_world import KEYS, FakeInference, World
from servers import serve
from shared.auth.permissions import Role
from shared.ids import uuid7

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEARCH = "/api/v1/retrieval/search"
OWNER = make_principal()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(service_database: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    database = service_database("retrieval-service")
    inference = FakeInference()
    async with serve(inference, lifespan="off") as inference_url:
        fields = KEYS.settings_fields("retrieval-service", database_url=database.app_url)
        home = tmp_path_factory.mktemp("home")
        app = create_app(
            RetrievalSettings(
                **fields, atrium_home=home, inference_service_url=inference_url, file_jobs_interval_s=600
            )
        )
        async with serve(app) as url:
            running = World(url, database.app_url, app.state.vectors, inference)
            yield running
            for client in running.clients:
                await client.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pets(world: World) -> UUID:
    """Twelve passages: two about animals, one about money, one that only names a part, and others."""
    texts = [
        "The cat sleeps on the warm stove.",
        "A kitten drinks milk, the best best food.",
        "The invoice of March has not been paid.",
        "Spare part QX-4711 fits the pump.",
        *(f"Plain passage number {number} about gardens." for number in range(8)),
    ]
    return await world.file("pets.txt", texts, owner=OWNER)


@pytest_asyncio.fixture(loop_scope="module")
async def me(world: World) -> httpx.AsyncClient:
    world.inference.status = 200
    return world.client(OWNER)


async def find(client: httpx.AsyncClient, query: str, **members: Any) -> Any:
    answer = await client.post(SEARCH, json={"query": query, **members})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_meaning_finds_what_words_do_not(me: httpx.AsyncClient, pets: UUID) -> None:
    found = await find(me, "feline", mode="dense", k=2)
    assert {passage["page"] for passage in found["data"]} == {1, 2}
    assert found["data"][0]["score"] > 0.9
    assert (found["data"][0]["file_id"], found["data"][0]["filename"]) == (str(pets), "pets.txt")
    assert (await find(me, "feline", mode="bm25"))["data"] == []


async def test_words_find_what_meaning_does_not(me: httpx.AsyncClient, pets: UUID) -> None:
    found = await find(me, "qx-4711", mode="bm25", k=3)
    assert [passage["page"] for passage in found["data"]] == [4]
    assert found["trace"] is None


async def test_both_together_carry_a_trace_of_ranks_and_reasons(me: httpx.AsyncClient, pets: UUID) -> None:
    found = await find(me, "the cat and part QX-4711", k=2, trace=True)
    trace = found["trace"]
    assert (trace["mode"], trace["files_searched"], trace["notes"]) == ("hybrid", 1, [])
    assert {"access", "embed", "dense", "bm25", "passages", "total"} <= set(trace["took_ms"])
    best = trace["candidates"][0]
    assert best["used"]
    assert best["page"] == 1
    assert best["reason"].startswith("place 1: ")
    assert "by meaning and " in best["reason"]
    assert best["fused_score"] == pytest.approx(1 / (60 + best["dense_rank"]) + 1 / (60 + best["bm25_rank"]))
    assert [one["used"] for one in trace["candidates"]].count(True) == 2
    assert {one["reason"] for one in trace["candidates"] if not one["used"]} == {"outside the first 2"}
    assert [passage["chunk_id"] for passage in found["data"]] == [
        one["chunk_id"] for one in trace["candidates"] if one["used"]
    ]


async def test_reranking_changes_the_order(me: httpx.AsyncClient, pets: UUID) -> None:
    found = await find(me, "cat", mode="dense", k=2, rerank=True, trace=True)
    assert found["data"][0]["page"] == 2
    assert found["data"][0]["score"] == pytest.approx(0.2)
    assert found["trace"]["candidates"][0]["reason"] == "place 1 after reranking"
    assert "rerank" in found["trace"]["took_ms"]


async def test_a_question_is_embedded_once(me: httpx.AsyncClient, world: World, pets: UUID) -> None:
    for _ in range(3):
        await find(me, "asked again and again", k=1)
    assert world.inference.embedded.count("asked again and again") == 1


async def test_while_the_model_is_away_words_alone_answer_and_the_trace_says_so(
    me: httpx.AsyncClient, world: World, pets: UUID
) -> None:
    world.inference.status = 503
    found = await find(me, "warm stove now", k=2, trace=True)
    assert found["data"][0]["page"] == 1
    assert found["trace"]["mode"] == "bm25"
    assert found["trace"]["notes"] == [
        "searched by words alone: the embedding model was not used, it does not answer"
    ]
    assert all(candidate["dense_rank"] is None for candidate in found["trace"]["candidates"])
    refused = await me.post(SEARCH, json={"query": "warm stove now", "mode": "dense"})
    assert (refused.status_code, refused.json()["code"]) == (503, "embedding_unavailable")


async def test_while_reranking_is_away_the_order_stays(
    me: httpx.AsyncClient, world: World, pets: UUID
) -> None:
    await find(me, "cat", mode="dense", k=2)
    world.inference.status = 503
    found = await find(me, "cat", mode="dense", k=2, rerank=True, trace=True)
    assert found["data"][0]["page"] == 1
    assert found["trace"]["notes"] == ["not reranked: the embedding model was not used, it does not answer"]


async def test_a_model_that_cannot_be_paid_is_402_by_meaning_alone_and_a_note_otherwise(
    me: httpx.AsyncClient, world: World, pets: UUID
) -> None:
    world.inference.status = 402
    assert (await me.post(SEARCH, json={"query": "unpaid stove", "mode": "dense"})).status_code == 402
    assert "cannot be paid" in (await find(me, "unpaid stove", k=1, trace=True))["trace"]["notes"][0]


async def test_few_passages_are_all_used_best_first(me: httpx.AsyncClient, world: World) -> None:
    note = await world.file("note.txt", ["zebra", "apple", "mango"], owner=OWNER)
    found = await find(me, "mango", mode="bm25", file_ids=[str(note)], k=3, trace=True)
    assert [passage["text"] for passage in found["data"]] == ["mango", "zebra", "apple"]
    assert {one["reason"] for one in found["trace"]["candidates"]} == {"all 3 passages fit"}
    assert (await find(me, "mango", file_ids=[str(note)], k=2))["data"][0]["text"] == "mango"


async def test_the_same_passage_is_used_once(me: httpx.AsyncClient, world: World) -> None:
    text = "Glaciers move slowly down the valley."
    first = await world.file("a.txt", [text, *(f"filler {n}" for n in range(6))], owner=OWNER)
    second = await world.file("b.txt", [text.replace(" ", "  "), "other"], owner=OWNER)
    found = await find(me, "glaciers", mode="bm25", file_ids=[str(first), str(second)], k=5, trace=True)
    assert len(found["data"]) == 1
    assert [one["reason"] for one in found["trace"]["candidates"] if not one["used"]] == [
        "the same passage was already used"
    ]


async def test_passages_of_a_file_that_vanished_are_dropped(me: httpx.AsyncClient, world: World) -> None:
    gone = await world.file("gone.txt", [f"volcano {n}" for n in range(4)], owner=OWNER)
    kept = await world.file("kept.txt", [f"volcano and lava {n}" for n in range(4)], owner=OWNER)
    await world.sql("UPDATE file SET deleted_at = now() WHERE id = $1", gone)
    found = await find(me, "volcano", mode="bm25", k=8, trace=True)
    assert {passage["file_id"] for passage in found["data"]} == {str(kept)}
    assert {one["file_id"] for one in found["trace"]["candidates"]} == {str(kept)}


async def test_points_without_a_passage_are_not_shown(me: httpx.AsyncClient, world: World) -> None:
    half = await world.file("half.txt", [f"meteorite {n}" for n in range(6)], owner=OWNER)
    await world.sql("DELETE FROM chunk WHERE file_id = $1 AND ordinal < 3", half)
    found = await find(me, "meteorite", mode="bm25", file_ids=[str(half)], k=2, trace=True)
    assert len(found["trace"]["candidates"]) == 3


async def test_nobody_elses_and_nothing_unready_is_found(
    me: httpx.AsyncClient, world: World, pets: UUID
) -> None:
    stranger = make_principal(organisation_id=OWNER.organisation_id)
    secret = await world.file(
        "secret.txt", ["the cat of the stranger", *(f"cat {n}" for n in range(9))], owner=stranger
    )
    await world.file(
        "pending.txt", ["the cat that waits", *(f"cat {n}" for n in range(9))], owner=OWNER, stage="embedding"
    )
    found = await find(me, "the cat", k=50, trace=True)
    names = {one["filename"] for one in found["trace"]["candidates"]}
    assert "pets.txt" in names
    assert not names & {"secret.txt", "pending.txt"}
    theirs = await world.client(stranger).post(
        SEARCH, json={"query": "cat", "file_ids": [str(secret), str(pets)]}
    )
    assert theirs.status_code == 404
    assert (await me.post(SEARCH, json={"query": "cat", "file_ids": [str(secret)]})).status_code == 404
    assert (
        await me.post(SEARCH, json={"query": "cat", "knowledge_base_ids": [str(uuid7())]})
    ).status_code == 404


@pytest.mark.parametrize("mode", ["hybrid", "dense", "bm25"])
async def test_somebody_with_more_files_than_a_query_can_name_still_searches_them_all(
    world: World, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr("retrieval_service.files.service.SCOPE_FILES_MAX", 2)
    owner = make_principal()
    client = world.client(owner)
    wanted = await world.file("wanted.txt", ["The cat sleeps."], owner=owner)
    for number in range(3):
        await world.file(f"{number}.txt", [f"Plain passage {number}."], owner=owner)
    for name, state in (("queued.txt", "embedding"), ("gone.txt", "ready")):
        hidden = await world.file(name, ["The cat sleeps where nobody looks."], owner=owner, stage=state)
        if name == "gone.txt":
            await world.sql("UPDATE file SET deleted_at = now() WHERE id = $1", hidden)
    await world.file("others.txt", ["The cat of somebody else sleeps."], owner=make_principal())
    answer = (await client.post(SEARCH, json={"query": "cat sleeps", "mode": mode, "k": 10})).json()
    assert answer["data"][0]["file_id"] == str(wanted)
    found = {passage["filename"] for passage in answer["data"]}
    assert found <= {"wanted.txt", "0.txt", "1.txt", "2.txt"}
    named = await client.post(SEARCH, json={"query": "cat", "file_ids": [str(wanted)]})
    assert named.status_code == 200


async def test_with_nothing_to_search_in_the_answer_is_empty(world: World) -> None:
    found = await find(world.client(make_principal()), "cat", trace=True)
    assert found["data"] == []
    assert found["trace"]["notes"] == ["there is no ready file to search in"]


@pytest.mark.parametrize(
    "body",
    [{}, {"query": ""}, {"query": " \n"}, {"query": "x" * 4001}, {"query": "x\x00"}, {"query": "x", "k": 0},
    {"query": "x", "k": 51},
     {"query": "x", "mode": "magic"}, {"query": "x", "file_ids": ["no"]}, {"query": "x", "surprise": 1}],
    ids=lambda body: str(sorted(body.items()))[:40],
)  # fmt: skip
async def test_a_bad_request_is_422(me: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await me.post(SEARCH, json=body)).status_code == 422


async def test_without_the_permission_or_a_token_nothing_is_found(world: World) -> None:
    pending = world.client(make_principal(Role.PENDING))
    assert (await pending.post(SEARCH, json={"query": "cat"})).status_code == 403
    async with httpx.AsyncClient(timeout=60, base_url=world.url, trust_env=False) as stranger:
        assert (await stranger.post(SEARCH, json={"query": "cat"})).status_code == 401


async def test_the_setting_decides_what_a_search_without_a_mode_does(
    service_database: Any, tmp_path: Path
) -> None:
    database = service_database("retrieval-service")
    fields = KEYS.settings_fields("retrieval-service", database_url=database.app_url)
    app = create_app(RetrievalSettings(**fields, atrium_home=tmp_path, enable_rag_hybrid_search=False))
    async with (
        serve(app) as url,
        httpx.AsyncClient(
            timeout=60, base_url=url, headers=KEYS.user_headers(OWNER), trust_env=False
        ) as client,
    ):
        assert (await find(client, "x", trace=True))["trace"]["mode"] == "dense"
        assert (await find(client, "x", trace=True, mode="hybrid"))["trace"]["mode"] == "hybrid"
        assert (await client.get("/readyz")).json()["checks"]["vectors"] == "ok"


async def test_fusion_adds_reciprocal_ranks() -> None:
    a, b, c = (uuid7() for _ in range(3))
    hits = fuse([Scored(a, 0.9), Scored(b, 0.8)], [Scored(b, 7.0), Scored(c, 5.0)])
    assert [hit.id for hit in hits] == [b, a, c]
    assert [hit.score for hit in hits] == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62])
    assert [hit.score for hit in fuse(None, [Scored(c, 5.0), Scored(a, 1.0)])] == [5.0, 1.0]


async def test_overlapping_neighbours_both_count_until_half_of_one_is_shared() -> None:
    file_id = uuid7()

    def chunk(start: int, end: int) -> StoredChunk:
        return StoredChunk(uuid7(), file_id, start, f"text from {start}", None, None, start, end, 10)

    found = [(Hit(uuid7()), one) for one in (chunk(0, 100), chunk(80, 180), chunk(40, 140), chunk(500, 600))]
    assert [choice.used for choice in choose(found, 8)] == [True, True, False, True]


async def test_what_was_not_reranked_says_so() -> None:
    chunk = [StoredChunk(uuid7(), uuid7(), n, f"text {n}", None, None, 0, 9, 3) for n in range(3)]
    found = [(Hit(uuid7(), rerank_score=0.5 - n if n < 2 else None), one) for n, one in enumerate(chunk)]
    assert [choice.reason for choice in choose(found, 1)] == [
        "place 1 after reranking",
        "outside the first 1",
        "below the 2 that were reranked, at place 3",
    ]
