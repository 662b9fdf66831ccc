"""One suite for every vector store. Qdrant runs in its client's local mode: the same calls, no server."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid5

import pytest
import pytest_asyncio
from points import ORGANISATION, OTHERS, SPACE, direction, ids, named, point, scope, unit
from qdrant_client import AsyncQdrantClient
from retrieval_service.vectors.adapters import connect
from retrieval_service.vectors.adapters.edge import EdgeStore
from retrieval_service.vectors.adapters.qdrant import QdrantStore
from retrieval_service.vectors.choice import open_vector_store
from retrieval_service.vectors.errors import VectorStoreTakenError, VectorStoreUnavailable
from retrieval_service.vectors.port import Point, Scope, Selection, VectorStore
from shared.settings import SettingsError

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant"),
]

KINDS = ("edge", "qdrant", "chroma")


def make_store(kind: str, folder: Path) -> VectorStore:
    match kind:
        case "edge":
            return EdgeStore(folder, lock_wait_s=0.2)
        case "qdrant":
            return QdrantStore(lambda: AsyncQdrantClient(path=str(folder)))
        case _:
            return connect.chroma(folder, None, lock_wait_s=0.2)


@pytest_asyncio.fixture(params=KINDS, scope="module", loop_scope="module")
async def shared_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[VectorStore]:
    store = make_store(request.param, tmp_path_factory.mktemp(f"vectors-{request.param}"))
    await store.open()
    yield store
    await store.close()


@pytest_asyncio.fixture(loop_scope="module")
async def store(shared_store: VectorStore) -> AsyncIterator[VectorStore]:
    """Emptied after each test."""
    yield shared_store
    stored = list(await shared_store.list_files())
    for name in {collection for collection, _ in stored}:
        await shared_store.delete_files(
            name, [file_id for collection, file_id in stored if collection == name]
        )


async def test_an_empty_store_finds_nothing_and_is_well(store: VectorStore) -> None:
    await store.check()
    assert await store.list_files() == {}
    assert await store.search_dense(scope("u-me"), direction("a"), 5) == []
    assert await store.search_bm25(scope("u-me"), "words", 5) == []
    await store.delete_files("u-me", [uuid5(SPACE, "file")])


async def test_the_nearest_come_first_with_their_cosine(store: VectorStore) -> None:
    near = direction("a") + 0.5 * direction("b")
    await store.upsert([point("b"), point("a"), point("c")])
    found = await store.search_dense(scope("u-me"), unit(near), 2)
    assert ids(found) == named("a", "b")
    assert found[0].score == pytest.approx(float(direction("a") @ unit(near)), abs=1e-4)


async def test_writing_twice_changes_nothing_and_the_last_text_counts(store: VectorStore) -> None:
    await store.upsert([point("a", "aardvark"), point("b")])
    await store.upsert([point("a", "zebra"), point("b")])
    assert await store.list_files() == {("u-me", uuid5(SPACE, "file")): 2}
    assert await store.search_bm25(scope("u-me"), "aardvark", 5) == []
    assert ids(await store.search_bm25(scope("u-me"), "zebra", 5)) == named("a")


async def test_files_go_and_others_stay(store: VectorStore) -> None:
    await store.upsert(
        [
            point("a", file="one"),
            point("b", file="two"),
            point("c", file="three"),
            point("d", file="one", collection="kb-1"),
        ]
    )
    await store.delete_files("u-me", [uuid5(SPACE, "one"), uuid5(SPACE, "two")])
    assert await store.list_files() == {("u-me", uuid5(SPACE, "three")): 1, ("kb-1", uuid5(SPACE, "one")): 1}
    assert (
        ids(await store.search_dense(scope("u-me", "kb-1"), direction("a"), 5)).count(uuid5(SPACE, "a")) == 0
    )
    assert ids(await store.search_bm25(scope("u-me", "kb-1"), "words", 5)).count(uuid5(SPACE, "b")) == 0


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_outside_the_scope_is_ever_found(store: VectorStore, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - a reproducible choice, no secret
    collections, files = ("u-1", "u-2", "kb-1"), ("f1", "f2", "f3", "f4")
    points = [
        point(
            f"{seed}-{number}",
            "common words",
            collection=draw.choice(collections),
            file=draw.choice(files),
            organisation=draw.choice((ORGANISATION, OTHERS)),
        )
        for number in range(60)
    ]
    await store.upsert(points)
    for _ in range(6):
        selections = [
            Selection(
                name,
                None
                if draw.random() < 0.4
                else frozenset(uuid5(SPACE, file) for file in draw.sample(files, draw.randint(0, 3))),
            )
            for name in draw.sample(collections, draw.randint(0, 3))
        ]
        wanted = Scope(draw.choice((ORGANISATION, OTHERS)), tuple(selections))
        allowed = {one.id for one in points if _within(wanted, one)}
        assert set(ids(await store.search_dense(wanted, direction("x"), 100))) == allowed
        assert set(ids(await store.search_bm25(wanted, "common", 100))) == allowed


def _selections(
    draw: random.Random, collections: tuple[str, ...], files: tuple[str, ...]
) -> tuple[Selection, ...]:
    def chosen() -> frozenset[UUID] | None:
        return (
            None
            if draw.random() < 0.4
            else frozenset(uuid5(SPACE, file) for file in draw.sample(files, draw.randint(0, 3)))
        )

    return tuple(Selection(name, chosen()) for name in draw.sample(collections, draw.randint(0, 3)))


def _within(wanted: Scope, one: Point) -> bool:
    return one.organisation_id == wanted.organisation_id and any(
        one.collection == selection.collection
        and (selection.file_ids is None or one.file_id in selection.file_ids)
        for selection in wanted.selections
    )


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("the part number is QX-4711-b", "qx-4711-b"),
        ("Überraschungsgäste im Café", "ÜBERRASCHUNGSGÄSTE"),
        ("a naïve approach", "naive"),
        ("совершенно секретно", "СОВЕРШЕННО"),
        ("東京タワーの高さは333メートル", "東京"),
        ("ผลการทดสอบ", "ทดสอบ"),
        ("she was running late", "runs"),
    ],
    ids=("part-number", "umlaut", "accent", "cyrillic", "japanese", "thai", "inflection"),
)
async def test_bm25_finds_the_rare_word(store: VectorStore, text: str, query: str) -> None:
    await store.upsert(
        [
            point("hit", f"plain words before; {text}; and after"),
            *(point(f"miss-{n}", f"plain words number {n}") for n in range(5)),
        ]
    )
    assert ids(await store.search_bm25(scope("u-me"), query, 3))[:1] == named("hit")


async def test_bm25_prefers_rare_words_and_short_passages(store: VectorStore) -> None:
    await store.upsert(
        [
            point("common", "report report"),
            point("rare", "report about basalt"),
            point("long", "report about basalt " + "and much else besides it " * 30),
            *(point(f"filler-{number}", f"report {number}") for number in range(8)),
        ]
    )
    found = await store.search_bm25(scope("u-me"), "basalt report", 20)
    assert ids(found)[:2] == named("rare", "long")
    assert [scored.score for scored in found] == sorted((scored.score for scored in found), reverse=True)


async def test_what_others_wrote_does_not_change_a_score(store: VectorStore) -> None:
    await store.upsert([point("a", "basalt and granite"), point("b", "granite")])
    before = await store.search_bm25(scope("u-me"), "basalt granite", 5)
    await store.upsert(
        [point(f"o-{number}", "basalt", collection="u-other", organisation=OTHERS) for number in range(20)]
    )
    after = await store.search_bm25(scope("u-me"), "basalt granite", 5)
    assert ids(after) == ids(before) == named("a", "b")
    assert [one.score for one in after] == pytest.approx([one.score for one in before], rel=1e-4)


async def test_a_question_of_stop_words_finds_nothing_by_words(store: VectorStore) -> None:
    await store.upsert([point("a", "the and of")])
    assert await store.search_bm25(scope("u-me"), "the of", 5) == []


async def test_all_stores_score_words_alike(tmp_path: Path) -> None:
    texts = [
        "alpha beta beta",
        "alpha gamma",
        "beta gamma delta naïve",
        "delta " * 12,
        "alpha beta gamma delta 東京",
    ]
    found: list[dict[UUID, float]] = []
    for kind in KINDS:
        store = make_store(kind, tmp_path / kind)
        await store.open()
        await store.upsert([point(f"t{number}", text) for number, text in enumerate(texts)])
        found.append(
            {
                one.id: round(one.score, 3)
                for one in await store.search_bm25(scope("u-me"), "alpha delta naive 東京", 9)
            }
        )
        await store.close()
    assert len(found[0]) == 5
    assert found[1] == pytest.approx(found[0], abs=2e-3)
    assert found[2] == pytest.approx(found[0], abs=2e-3)


_WRITER = """
import asyncio, os, sys, signal
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_vector_stores import make_store, point
async def main():
    store = make_store({kind!r}, Path({folder!r}))
    await store.open()
    for start in (0, 40):
        await store.upsert([point(f"k{{n}}", f"word{{n}} plain") for n in range(start, start + 40)])
    print("written", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_acknowledged_survives_kill_9(kind: str, tmp_path: Path) -> None:
    code = _WRITER.format(tests=str(Path(__file__).parent), kind=kind, folder=str(tmp_path))
    writer = await asyncio.to_thread(_killed_after, code, "written")
    assert writer == -signal.SIGKILL
    store = make_store(kind, tmp_path)
    await store.open()
    assert await store.list_files() == {("u-me", uuid5(SPACE, "file")): 80}
    assert ids(await store.search_dense(scope("u-me"), direction("k79"), 1)) == named("k79")
    assert ids(await store.search_bm25(scope("u-me"), "word3", 1)) == named("k3")
    await store.close()


def _killed_after(code: str, line: str) -> int:
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == line
        os.kill(process.pid, signal.SIGKILL)
        return process.wait()


@pytest.mark.parametrize("kind", ["edge", "chroma"])
async def test_two_openers_are_refused_and_the_first_goes_on(kind: str, tmp_path: Path) -> None:
    first = make_store(kind, tmp_path)
    await first.open()
    await first.upsert([point("a")])
    with pytest.raises(VectorStoreTakenError, match="serves one process"):
        await make_store(kind, tmp_path).open()
    await first.upsert([point("b")])
    assert ids(await first.search_dense(scope("u-me"), direction("b"), 1)) == named("b")
    await first.close()
    again = make_store(kind, tmp_path)
    await again.open()
    assert sum((await again.list_files()).values()) == 2
    await again.close()


async def test_a_store_that_was_cut_while_it_was_made_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "shard.new" / "segments").mkdir(parents=True)
    store = EdgeStore(tmp_path)
    await store.open()
    await store.upsert([point("a")])
    assert ids(await store.search_dense(scope("u-me"), direction("a"), 1)) == named("a")
    await store.close()


async def test_a_damaged_store_is_refused_in_our_own_words(tmp_path: Path) -> None:
    (tmp_path / "shard").mkdir()
    (tmp_path / "shard" / "edge_config.json").write_text("{")
    store = EdgeStore(tmp_path)
    with pytest.raises(VectorStoreUnavailable) as refused:
        await store.open()
    assert "shard" not in refused.value.detail


async def test_a_server_that_is_away_is_503_and_does_not_keep_the_service_from_starting() -> None:
    store = connect.qdrant_server("http://127.0.0.1:9", None)
    await store.open()
    with pytest.raises(VectorStoreUnavailable):
        await store.check()
    with pytest.raises(VectorStoreUnavailable):
        await store.search_bm25(scope("u-me"), "x", 1)
    await store.close()


async def test_a_chroma_server_that_is_away_is_503() -> None:
    store = connect.chroma(Path("unused"), "http://127.0.0.1:9")
    await store.open()
    with pytest.raises(VectorStoreUnavailable):
        await store.check()
    await store.close()


async def test_an_unknown_store_is_refused_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"VECTOR_DB=milvus is unknown: choose qdrant .* or chroma"):
        open_vector_store(
            name="milvus", folder=tmp_path, qdrant_url=None, qdrant_api_key=None, chroma_url=None
        )


async def test_a_store_of_another_package_is_found_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "other-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[atrium.vector_stores]\nmine = other_vectors:Mine\n")
    (tmp_path / "other_vectors.py").write_text("class Mine: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    store = open_vector_store(
        name="mine", folder=tmp_path, qdrant_url=None, qdrant_api_key=None, chroma_url=None
    )
    assert type(store).__name__ == "Mine"


async def test_the_default_imports_no_other_library() -> None:
    opened = (
        "from pathlib import Path; from retrieval_service.vectors.choice import"
        " open_vector_store;open_vector_store(name='qdrant', folder=Path('x'), qdrant_url=None,"
        " qdrant_api_key=None, chroma_url=None);import sys; print([name for name in ('chromadb',"
        " 'qdrant_client') if name in sys.modules])"
    )
    imported = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", opened], capture_output=True, text=True, check=True
    )
    assert imported.stdout.strip() == "[]"
