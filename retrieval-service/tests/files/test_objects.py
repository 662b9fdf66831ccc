"""Every object store does the same."""

import os
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from retrieval_service.objects.adapters.stores import LocalObjects, memory_objects
from retrieval_service.objects.choice import open_object_store
from retrieval_service.objects.port import ObjectMissing, ObjectStore, read_all
from shared.clock import utc_now
from shared.errors import Unavailable
from shared.settings import SettingsError


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return LocalObjects(tmp_path / "objects") if request.param == "local" else memory_objects()


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def keys_of(store: ObjectStore, prefix: str) -> dict[str, int]:
    return {item.key: item.size_bytes async for item in store.list(prefix)}


async def test_what_is_put_is_read_back_whole_and_by_range(store: ObjectStore) -> None:
    content = bytes(range(256)) * 40_000  # above two parts of a multipart upload
    size = await store.put("files/a", chunks(content[:7], b"", content[7:9_000_000], content[9_000_000:]))
    assert size == len(content)
    assert await read_all(store, "files/a") == content
    assert await read_all(store, "files/a", start=300, end=310) == content[300:310]
    assert await read_all(store, "files/a", start=len(content) - 5) == content[-5:]


async def test_putting_again_replaces(store: ObjectStore) -> None:
    await store.put("files/a", chunks(b"first and longer"))
    await store.put("files/a", chunks(b"second"))
    assert await read_all(store, "files/a") == b"second"


async def test_a_source_that_fails_leaves_nothing_and_its_own_error(store: ObjectStore) -> None:
    async def failing() -> AsyncGenerator[bytes]:
        yield b"x" * 6_000_000
        raise OSError("the source's own")

    with pytest.raises(OSError, match="the source's own"):
        await store.put("files/a", failing())
    assert await keys_of(store, "files") == {}


async def test_a_missing_object_is_missing_when_it_is_opened(store: ObjectStore) -> None:
    with pytest.raises(ObjectMissing):
        await store.open("files/none")
    with pytest.raises(ObjectMissing):
        await store.open("files/none", start=1, end=2)


async def test_deleting_is_repeatable(store: ObjectStore) -> None:
    await store.put("files/a", chunks(b"x"))
    await store.delete("files/a")
    await store.delete("files/a")
    with pytest.raises(ObjectMissing):
        await store.open("files/a")


async def test_a_listing_holds_a_folder_and_no_neighbour(store: ObjectStore) -> None:
    for key in ("uploads/a/1", "uploads/a/2", "uploads/ab/1", "files/a"):
        await store.put(key, chunks(b"123"))
    assert await keys_of(store, "uploads/a") == {"uploads/a/1": 3, "uploads/a/2": 3}
    assert len(await keys_of(store, "uploads")) == 3
    assert await keys_of(store, "nothing") == {}
    await store.check()


async def test_a_new_process_finds_what_the_last_one_stored(tmp_path: Path) -> None:
    await LocalObjects(tmp_path).put("files/a", chunks(b"kept"))
    assert await read_all(LocalObjects(tmp_path), "files/a") == b"kept"


async def test_what_a_killed_process_was_writing_is_swept(tmp_path: Path) -> None:
    store = LocalObjects(tmp_path)
    await store.put("files/a", chunks(b"kept"))
    now = utc_now()
    for name, age_s in (("b#1", 7200), ("c#2", 0), ("d#x", 7200)):
        (tmp_path / "files" / name).write_bytes(b"half")
        stamp = now.timestamp() - age_s
        os.utime(tmp_path / "files" / name, (stamp, stamp))
    await store.sweep(now - timedelta(hours=1))
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == ["a", "c#2", "d#x"]


async def test_folders_that_become_empty_go(tmp_path: Path) -> None:
    store = LocalObjects(tmp_path)
    await store.put("uploads/a/1", chunks(b"x"))
    await store.put("files/a", chunks(b"x"))
    await store.delete("uploads/a/1")
    assert not (tmp_path / "uploads").exists()
    await store.put("uploads/a/1", chunks(b"x"))
    assert await read_all(store, "uploads/a/1") == b"x"


async def test_the_settings_choose_a_folder(tmp_path: Path) -> None:
    for url in (None, f"file://{tmp_path}/b"):
        store = open_object_store(url=url, default_folder=tmp_path / "b")
        await store.put("files/a", chunks(b"x"))
        assert (tmp_path / "b" / "files" / "a").read_bytes() == b"x"
        await store.delete("files/a")


@pytest.mark.parametrize("url", ["ftp://x/y", "s3://", "file://host/x", "/plain"])
def test_an_address_of_another_kind_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="OBJECT_STORE_URL"):
        open_object_store(url=url, default_folder=tmp_path)


def test_half_a_pair_of_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="S3_SECRET_ACCESS_KEY"):
        open_object_store(url="s3://bucket", default_folder=tmp_path, s3_access_key_id="only this")


async def test_a_bucket_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    store = open_object_store(
        url="s3://bucket/prefix",
        default_folder=tmp_path,
        s3_region="eu-central-1",
        s3_endpoint="http://127.0.0.1:9",
        s3_access_key_id="id",
        s3_secret_access_key=SecretStr("secret-of-the-bucket"),
    )
    with pytest.raises(Unavailable) as failed:
        await store.check()
    assert "secret-of-the-bucket" not in str(failed.value)
