"""Files whose bytes are in a bucket: the whole way, and what happens while the S3 server is away."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_embeddings import FakeInference
from identities import make_principal
from servers import serve
from shared.auth.permissions import Role
from shared.errors import Unavailable

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES = "/api/v1/retrieval/files"
UPLOADS = "/api/v1/retrieval/uploads"
SENTENCE = b"The heron waits at the weir. "
# More than one part of an upload to S3, and one passage: spaces are no words.
CONTENT = SENTENCE + b" " * 6_000_000 + b"\nIt knows the hour of the fish.\n"

OnS3 = Callable[..., contextlib.AbstractAsyncContextManager[Any]]


@pytest.fixture
def on_s3(start: Any, s3_server: Any, relay: Any, tmp_path: Path) -> OnS3:
    """`start` with its objects in a folder of their own in the bucket, reached through `relay`."""

    def started(**changes: Any) -> contextlib.AbstractAsyncContextManager[Any]:
        fields = {
            "object_store_url": f"s3://{s3_server.bucket}/{tmp_path.name}",
            "s3_endpoint_url": relay.url,
            "s3_access_key_id": s3_server.access_key_id,
            "s3_secret_access_key": s3_server.secret_access_key,
        }
        return start(**{**fields, **changes})

    return started


@pytest.fixture
def kept(s3_server: Any, tmp_path: Path) -> Callable[[], list[str]]:
    """Keys in the test's folder of the bucket."""
    return lambda: s3_server.keys(tmp_path.name)


async def resumably(person: Any, content: bytes, chunk_bytes: int = 5_500_000) -> str:
    """The file's id, after an upload in chunks of which one came twice."""
    upload = (
        await person.http.post(UPLOADS, json={"filename": "heron.txt", "size_bytes": len(content)})
    ).json()
    for offset in (0, 0, *range(chunk_bytes, len(content), chunk_bytes)):
        chunk = content[offset : offset + chunk_bytes]
        answer = await person.http.patch(
            f"{UPLOADS}/{upload['id']}", content=chunk, headers={"upload-offset": str(offset)}
        )
        assert answer.status_code == 200, answer.text
    return answer.json()["document"]["document_id"]


async def half(person: Any) -> None:
    """An upload that is given up after its first chunk."""
    upload = (await person.http.post(UPLOADS, json={"filename": "heron.txt", "size_bytes": 300_000})).json()
    path = f"{UPLOADS}/{upload['id']}"
    assert (await person.http.patch(path, content=b"a" * 100_000, headers={"upload-offset": "0"})).json()[
        "offset"
    ] == 100_000
    assert (await person.http.delete(path)).status_code == 204


async def stage_is(person: Any, file_id: str, stage: str) -> bool:
    file = (await person.http.get(f"{FILES}/{file_id}")).json()
    assert file["stage"] == stage or file["stage"] not in {"ready", "failed"}, file
    return file["stage"] == stage


async def test_a_file_goes_the_whole_way(
    on_s3: OnS3, kept: Any, s3_server: Any, embedding_model_folder: Path
) -> None:
    async with (
        serve(FakeInference(), lifespan="off") as inference,
        on_s3(
            inference_service_url=inference,
            embedding_model_path=embedding_model_folder,
            reconciliation_grace_s=0,
        ) as service,
    ):
        person, unfinished = service.person(), s3_server.unfinished()
        await half(person)
        file_ids = [await person.new_file(CONTENT), await resumably(person, CONTENT)]
        assert [key.rpartition("/")[2] for key in kept() if "/files/" in key] == file_ids
        for file_id in file_ids:
            await service.until(lambda file_id=file_id: stage_is(person, file_id, "ready"), 60)
            content = f"{FILES}/{file_id}/content"
            assert (await person.http.get(content)).content == CONTENT
            for asked, expected in (
                ("0-28", SENTENCE),
                ("-5", CONTENT[-5:]),
                ("100-5900000", CONTENT[100:5_900_001]),
            ):
                ranged = await person.http.get(content, headers={"range": f"bytes={asked}"})
                assert (ranged.status_code, ranged.content) == (206, expected)
        operator = service.person(make_principal(Role.ADMIN))
        report = (await operator.http.post("/api/v1/retrieval/reconciliation")).json()
        assert (report["files"], report["objects"], report["findings"]) == (2, 2, [])
        for file_id in file_ids:
            assert (await person.http.delete(f"{FILES}/{file_id}")).status_code == 204

        async def gone() -> bool:
            return not kept() and not await service.sql("SELECT 1 FROM file")

        await service.until(gone)
        assert s3_server.unfinished() == unfinished


async def test_a_store_that_goes_away_in_the_middle(on_s3: OnS3, kept: Any, relay: Any) -> None:
    async with on_s3() as service:
        person = service.person()
        kept_file = await person.new_file(CONTENT)
        before = kept()

        relay.break_after(3_000_000, stays_down=True)
        cut = await person.upload(CONTENT)
        assert (cut.status_code, cut.json()["code"], cut.headers["content-type"]) == (
            503,
            "object_store_down",
            "application/problem+json",
        )
        assert "retry-after" in cut.headers
        at_once = await person.http.get(f"{FILES}/{kept_file}/content")
        assert (at_once.status_code, at_once.json()["code"]) == (503, "object_store_down")
        upload = (
            await person.http.post(UPLOADS, json={"filename": "heron.txt", "size_bytes": 100_000})
        ).json()
        chunk = await person.http.patch(
            f"{UPLOADS}/{upload['id']}", content=b"a" * 100_000, headers={"upload-offset": "0"}
        )
        assert (chunk.status_code, chunk.json()["code"]) == (503, "object_store_down")
        assert (await person.http.get(f"{UPLOADS}/{upload['id']}")).json()["offset"] == 0

        relay.up()
        assert kept() == before
        assert len((await person.http.get(FILES)).json()["data"]) == 1
        again = await person.http.patch(
            f"{UPLOADS}/{upload['id']}", content=b"a" * 100_000, headers={"upload-offset": "0"}
        )
        assert again.json()["document"]["size_bytes"] == 100_000

        relay.break_after(3_000_000, stays_down=True)
        with pytest.raises(httpx.RemoteProtocolError):  # never a whole answer with a part of the file
            await person.http.get(f"{FILES}/{kept_file}/content")
        relay.up()
        assert (await person.http.get(f"{FILES}/{kept_file}/content")).content == CONTENT


async def test_a_service_starts_while_the_store_is_down_and_works_once_it_is_up(
    on_s3: OnS3, relay: Any
) -> None:
    relay.down()
    async with (
        on_s3() as service,
        httpx.AsyncClient(timeout=60, base_url=service.base_url, trust_env=False) as anyone,
    ):
        ready = await anyone.get("/readyz")
        assert ready.status_code == 503
        assert "object store" in ready.json()["checks"]["objects"]
        person = service.person()
        refused = await person.upload()
        assert (refused.status_code, refused.json()["code"]) == (503, "object_store_down")
        relay.up()
        assert (await anyone.get("/readyz")).status_code == 200
        await person.new_file()


async def test_with_a_wrong_key_nothing_is_kept_and_no_key_is_told(
    on_s3: OnS3, kept: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = f"wrong-{os.urandom(8).hex()}"
    async with on_s3(
        s3_access_key_id=f"id-{wrong}", s3_secret_access_key=f"secret-{wrong}", log_level="DEBUG"
    ) as service:
        person = service.person()
        answers = [await person.upload(), await person.upload(CONTENT), await person.http.get("/readyz")]
        with pytest.raises(Unavailable):
            await service.inside(service.app.state.purge_strays())
    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert all("refuses this service" in answer.text for answer in answers)
    assert kept() == []
    logged = capsys.readouterr()
    assert logged.err.count("status code: 403 InvalidAccessKeyId") >= 4
    assert wrong not in "".join([logged.out, logged.err, *(answer.text for answer in answers)])
