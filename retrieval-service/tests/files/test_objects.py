"""Every object store does the same: a folder, and a bucket of a real S3 server."""

import asyncio
import os
import re
import subprocess
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from obstore.exceptions import GenericError
from pydantic import SecretStr
from retrieval_service.objects.adapters import stores
from retrieval_service.objects.adapters.stores import LocalObjects, s3_objects
from retrieval_service.objects.choice import open_object_store
from retrieval_service.objects.errors import StorageFull
from retrieval_service.objects.port import ObjectMissing, ObjectStore, read_all
from servers import serve
from shared.clock import utc_now
from shared.errors import Unavailable
from shared.settings import SettingsError

PART_BYTES = 5 * 1024 * 1024

Opened = Callable[..., ObjectStore]


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> Opened:
    """Opens one folder of the test server's bucket, however often; keywords change how."""
    server = request.getfixturevalue("s3_server")
    options: dict[str, Any] = {
        "bucket": server.bucket,
        "prefix": f"objects/{uuid.uuid4()}",
        "region": None,
        "endpoint": server.endpoint,
        "access_key_id": server.access_key_id,
        "secret_access_key": server.secret_access_key,
    }

    def opened(**changes: Any) -> ObjectStore:
        return s3_objects(**{**options, **changes})

    return opened


@pytest.fixture(params=["local", "s3"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """Each call opens the same store, as another process would."""
    if request.param == "local":
        return lambda: LocalObjects(tmp_path / "objects")
    return request.getfixturevalue("bucket")


@pytest.fixture
def store(opened: Opened) -> ObjectStore:
    return opened()


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


@pytest.mark.parametrize("size_bytes", [0, 1, PART_BYTES, PART_BYTES + 1])
async def test_every_size_is_stored_whole(store: ObjectStore, size_bytes: int) -> None:
    content = os.urandom(size_bytes)
    assert await store.put("files/a", chunks(content[:70_000], content[70_000:])) == size_bytes
    assert await keys_of(store, "files") == {"files/a": size_bytes}
    assert await read_all(store, "files/a") == content


@pytest.mark.parametrize("sent_bytes", [0, 1000, 2 * PART_BYTES])
async def test_a_source_that_fails_leaves_nothing_and_its_own_error(
    store: ObjectStore, sent_bytes: int
) -> None:
    async def failing() -> AsyncGenerator[bytes]:
        yield b"x" * sent_bytes
        raise OSError("the source's own")

    await store.put("files/a", chunks(b"what was there"))
    for key in ("files/a", "files/b"):
        with pytest.raises(OSError, match="the source's own"):
            await store.put(key, failing())
    assert await keys_of(store, "files") == {"files/a": 14}


async def test_a_source_that_fails_leaves_no_unfinished_upload(bucket: Opened, s3_server: Any) -> None:
    before, parts_before = s3_server.unfinished(), s3_server.keys(".uploads")

    async def failing() -> AsyncGenerator[bytes]:
        yield b"x" * PART_BYTES
        yield b"x" * PART_BYTES
        # A part still on its way when its upload is given up may arrive after that, at this server as at any
        # other.
        async with asyncio.timeout(20):
            while len(s3_server.keys(".uploads")) < len(parts_before) + 2:  # noqa: ASYNC110 - the server is another process
                await asyncio.sleep(0.02)
        assert len(s3_server.unfinished()) == len(before) + 1  # so that the look below sees what it looks for
        raise OSError("the source's own")

    with pytest.raises(OSError, match="the source's own"):
        await bucket().put("files/a", failing())
    assert s3_server.unfinished() == before


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


async def test_a_new_process_finds_what_the_last_one_stored(opened: Opened) -> None:
    await opened().put("files/a", chunks(b"kept"))
    assert await read_all(opened(), "files/a") == b"kept"


async def test_many_at_once_do_not_mix(store: ObjectStore) -> None:
    contents = {f"files/{number}": bytes([number]) * 100_000 for number in range(12)}
    await asyncio.gather(*(store.put(key, chunks(content)) for key, content in contents.items()))
    assert await asyncio.gather(*(read_all(store, key) for key in contents)) == list(contents.values())


async def test_a_long_listing_is_whole(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "_LIST_ROWS", 5)
    keys = [f"uploads/{number:02d}" for number in range(12)]
    await asyncio.gather(*(store.put(key, chunks(b"x")) for key in keys))
    assert sorted(await keys_of(store, "uploads")) == keys


async def test_what_is_read_no_further_can_be_left(store: ObjectStore) -> None:
    await store.put("files/a", chunks(b"x" * 6_000_000))
    for _ in range(8):
        reader = await store.open("files/a")
        assert len(await anext(reader)) < 1_000_000
        await reader.aclose()
    assert len(await read_all(store, "files/a")) == 6_000_000


async def test_a_prefix_hides_the_rest_of_the_bucket(bucket: Opened) -> None:
    one, other = bucket(prefix="objects/one"), bucket(prefix="objects/one-more")
    await one.put("files/a", chunks(b"one"))
    await other.put("files/b", chunks(b"other"))
    assert list(await keys_of(one, "files")) == ["files/a"]
    with pytest.raises(ObjectMissing):
        await other.open("files/a")


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


@pytest.mark.parametrize("url", ["s3://id:hidden@bucket/prefix", "s3://bucket/prefix?secret=hidden"])
def test_keys_in_the_address_are_refused_and_not_repeated(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="S3_ACCESS_KEY_ID") as refused:
        open_object_store(url=url, default_folder=tmp_path)
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:8333", "s3.example.org", "http://id:hidden@127.0.0.1:8333", "https://"]
)
def test_an_endpoint_of_another_form_is_refused_and_not_repeated(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="S3_ENDPOINT_URL") as refused:
        open_object_store(url="s3://bucket", default_folder=tmp_path, s3_endpoint=endpoint)
    assert "hidden" not in str(refused.value)


async def each_call_fails(store: ObjectStore, match: str) -> None:
    async def listed() -> None:
        await keys_of(store, "files")

    calls: list[Callable[[], Any]] = [
        lambda: store.put("files/a", chunks(b"small")),
        lambda: store.put("files/a", chunks(b"x" * PART_BYTES, b"x")),
        lambda: store.open("files/a"),
        lambda: store.delete("files/a"),
        listed,
        store.check,
    ]
    for call in calls:
        with pytest.raises(Unavailable, match=match) as failed:
            await call()
        assert failed.value.code == "object_store_down"


async def test_a_wrong_key_is_told_as_such(bucket: Opened, caplog: pytest.LogCaptureFixture) -> None:
    await bucket().put("files/a", chunks(b"there"))
    for wrong in ({"access_key_id": "key-of-nobody"}, {"secret_access_key": "secret-of-nobody"}):
        await each_call_fails(bucket(**wrong), "refuses this service; check its keys")
    reasons = [
        vars(record)["reason"] for record in caplog.records if record.name.startswith("retrieval_service")
    ]
    assert {reason.rpartition(" ")[2] for reason in reasons} == {
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
    }
    assert not re.search("-of-nobody|-of-the-tests", repr([vars(record) for record in caplog.records]))


async def test_a_bucket_that_is_not_there_is_no_missing_object(bucket: Opened) -> None:
    await each_call_fails(bucket(bucket="forgotten"), "is not there; create it")


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    store = open_object_store(
        url="s3://bucket/prefix",
        default_folder=tmp_path,
        s3_endpoint="http://127.0.0.1:9",
        s3_access_key_id="id",
        s3_secret_access_key=SecretStr("secret"),
    )
    for call in (store.check, lambda: store.put("files/a", chunks(b"x"))):
        with pytest.raises(Unavailable, match="does not answer"):
            await call()


async def test_the_log_repeats_nothing_that_was_signed(caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        # As Amazon's does: on one line, with what was signed.
        body = (
            b"<?xml "
            b'version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>key-of-the-tests</AWSAccessKeyId>'
            b"<SignatureProvided>0badcafe</SignatureProvided><StringToSign>AWS4-HMAC-SHA256</StringToSign></Error>"
        )
        await send(
            {
                "type": "http.response.start",
                "status": 403,
                "headers": [(b"content-length", str(len(body)).encode())],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async with serve(refuse, lifespan="off") as endpoint:
        store = s3_objects(
            bucket="atrium",
            prefix=None,
            region=None,
            endpoint=endpoint,
            access_key_id="key-of-the-tests",
            secret_access_key="secret-of-the-tests",
        )
        await each_call_fails(store, "refuses this service")
    reasons = [
        vars(record)["reason"] for record in caplog.records if record.name.startswith("retrieval_service")
    ]
    assert len(reasons) >= 6
    assert all(re.search(r"status code: 403 SignatureDoesNotMatch$", reason) for reason in reasons)


async def test_a_silent_server_is_given_up_and_a_slow_reader_is_not(bucket: Opened, relay: Any) -> None:
    await bucket().put("files/a", chunks(b"x" * 8_000_000))
    size_bytes = 0
    async for piece in await bucket(endpoint=relay.url, stalled_after_s=1).open("files/a"):
        if size_bytes < 500_000:
            await asyncio.sleep(0.6)  # together longer than the server may be silent
        size_bytes += len(piece)
    assert size_bytes == 8_000_000
    relay.silent = True
    async with asyncio.timeout(20):
        with pytest.raises(Unavailable, match="does not answer"):
            await bucket(endpoint=relay.url, stalled_after_s=0.1).open("files/a")


async def test_a_reader_goes_on_where_a_broken_connection_left_it(bucket: Opened, relay: Any) -> None:
    content = os.urandom(8_000_000)
    store = bucket(endpoint=relay.url)
    await store.put("files/a", chunks(content))
    relay.break_after(2_000_000)
    assert await read_all(store, "files/a") == content
    assert relay.broken == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 64 KiB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small disk is not permitted here")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("size_bytes", [200_000, PART_BYTES + 200_000])
async def test_a_full_disk_is_called_one(small_disk: Path, size_bytes: int) -> None:
    with pytest.raises(StorageFull) as full:
        await LocalObjects(small_disk / "objects").put("files/a", chunks(b"x" * size_bytes))
    assert (full.value.status, full.value.code) == (507, "storage_full")


async def test_a_full_disk_is_told_from_the_librarys_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any, **__: Any) -> None:
        raise GenericError(
            "Generic LocalFileSystem error: Unable to copy data to file: No space left on device (os error "
            "28)"
        )

    monkeypatch.setattr("retrieval_service.objects.adapters.stores.obstore.put_async", full)
    with pytest.raises(StorageFull):
        await LocalObjects(tmp_path).put("files/a", chunks(b"x"))
