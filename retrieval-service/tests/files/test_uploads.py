"""Resumable uploads: chunks that count once they are stored, and one file at the end."""

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest
from identities import make_principal
from retrieval_service.objects.port import StoredObject
from retrieval_service.uploads.sweeper import UploadSweeper
from shared.clock import utc_now
from shared.db import Database
from shared.ids import uuid7

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES = "/api/v1/retrieval/files"
UPLOADS = "/api/v1/retrieval/uploads"
CHUNK = 64 * 1024
CONTENT = b"".join(b"line %d of a long text\n" % n for n in range(9000))  # a little more than three chunks
CUTS = range(0, len(CONTENT), CHUNK)


async def begin(person: Any, **changes: Any) -> dict[str, Any]:
    answer = await person.http.post(
        UPLOADS, json={"filename": "long.txt", "size_bytes": len(CONTENT), **changes}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


async def send(person: Any, upload_id: str, offset: int, chunk: bytes) -> httpx.Response:
    headers = {"content-type": "application/octet-stream", "upload-offset": str(offset)}
    return await person.http.patch(f"{UPLOADS}/{upload_id}", content=chunk, headers=headers)


async def send_all(person: Any, upload_id: str, content: bytes = CONTENT) -> httpx.Response:
    """The answer to the last chunk."""
    answer = None
    for offset in range(0, len(content), CHUNK):
        answer = await send(person, upload_id, offset, content[offset : offset + CHUNK])
    assert answer is not None
    return answer


def parts_of(service: Any, upload_id: str) -> list[str]:
    return [key for key in service.stored() if key.startswith(f"uploads/{upload_id}/")]


async def test_chunks_become_one_file(service: Any, person: Any) -> None:
    base = await person.new_base()
    upload = await begin(
        person, knowledge_base_id=base, sha256=hashlib.sha256(CONTENT).hexdigest(), content_type="text/plain"
    )
    assert (upload["offset"], upload["document"]) == (0, None)
    assert upload["chunk_bytes_max"] >= CHUNK
    for offset in CUTS:
        answer = await send(person, upload["id"], offset, CONTENT[offset : offset + CHUNK])
        assert answer.status_code == 200, answer.text
        assert answer.json()["offset"] == min(offset + CHUNK, len(CONTENT))
        assert (answer.json()["document"] is None) == (offset != CUTS[-1])
    document = answer.json()["document"]
    assert document["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert (document["stage"], document["knowledge_base_ids"]) == ("queued", [base])
    got = await person.http.get(f"{FILES}/{document['document_id']}/content")
    assert got.content == CONTENT
    assert parts_of(service, upload["id"]) == []
    assert (await person.http.get(f"{UPLOADS}/{upload['id']}")).json()["document"]["document_id"] == document[
        "document_id"
    ]
    assert (await person.http.get("/api/v1/retrieval/quota")).json()["files"] == 1


async def test_a_repeated_chunk_changes_nothing_and_a_wrong_offset_names_the_right_one(
    service: Any, person: Any
) -> None:
    upload_id = (await begin(person))["id"]
    await send(person, upload_id, 0, CONTENT[:CHUNK])
    again = await send(person, upload_id, 0, CONTENT[:CHUNK])
    assert (again.status_code, again.json()["offset"]) == (200, CHUNK)
    for offset, chunk in (
        (0, b"x" * CHUNK),
        (0, CONTENT[: CHUNK + 1]),
        (1, CONTENT[1:CHUNK]),
        (CHUNK * 2, CONTENT[CHUNK * 2 :]),
    ):
        wrong = await send(person, upload_id, offset, chunk)
        assert (wrong.status_code, wrong.json()["code"], wrong.json()["offset"]) == (
            409,
            "offset_conflict",
            CHUNK,
        ), offset
    assert len(parts_of(service, upload_id)) == 1
    for offset in CUTS[1:]:
        last = await send(person, upload_id, offset, CONTENT[offset : offset + CHUNK])
    repeated = await send(person, upload_id, CUTS[-1], CONTENT[CUTS[-1] :])
    assert repeated.status_code == 200
    assert repeated.json()["document"]["document_id"] == last.json()["document"]["document_id"]
    assert len((await person.http.get(FILES)).json()["data"]) == 1


async def test_of_two_chunks_at_once_one_wins(service: Any, person: Any) -> None:
    upload_id = (await begin(person))["id"]
    answers = await asyncio.gather(
        *(send(person, upload_id, 0, bytes([letter]) * CHUNK) for letter in b"abc")
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    assert len(parts_of(service, upload_id)) == 1
    assert (await person.http.get(f"{UPLOADS}/{upload_id}")).json()["offset"] == CHUNK


async def test_chunks_of_a_wrong_size_are_refused(service: Any, person: Any) -> None:
    upload = await begin(person)
    empty = await send(person, upload["id"], 0, b"")
    small = await send(person, upload["id"], 0, b"x" * (CHUNK - 1))
    assert [(answer.status_code, answer.json()["code"]) for answer in (empty, small)] == [
        (422, "chunk_invalid")
    ] * 2
    much = await send(person, upload["id"], 0, b"x" * (len(CONTENT) + 1))
    assert (much.status_code, much.json()["code"]) == (413, "chunk_too_large")
    large = await begin(person, size_bytes=upload["chunk_bytes_max"] * 2)
    over = await send(person, large["id"], 0, b"x" * (large["chunk_bytes_max"] + 1))
    assert (over.status_code, over.json()["code"]) == (413, "chunk_too_large")
    for headers in ({}, {"upload-offset": "-1"}, {"upload-offset": "x"}, {"upload-offset": str(2**60)}):
        answer = await person.http.patch(f"{UPLOADS}/{upload['id']}", content=b"x", headers=headers)
        assert answer.status_code == 422, headers
    assert parts_of(service, upload["id"]) == parts_of(service, large["id"]) == []


async def test_bad_beginnings_are_refused_with_what_is_wrong(service: Any, person: Any) -> None:
    good = {"filename": "a.txt", "size_bytes": 10}
    bad: list[dict[str, Any]] = [
        {"size_bytes": 10}, {"filename": "a.txt"}, {**good, "size_bytes": 0}, {**good, "size_bytes": 2**70},
        {**good, "sha256": "x"},
        {**good, "filename": ".."}, {**good, "filename": ""}, {**good, "filename": "x" * 2000},
        {**good, "more": 1},
        {**good, "knowledge_base_id": "x"},
    ]  # fmt: skip
    for body in bad:
        answer = await person.http.post(UPLOADS, json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), body
    huge = await person.http.post(UPLOADS, json={**good, "size_bytes": 2**52})
    assert (huge.status_code, huge.json()["code"]) == (413, "file_too_large")
    foreign = await service.person().new_base(access="organisation")
    for base in (foreign, str(uuid4())):
        answer = await person.http.post(UPLOADS, json={**good, "knowledge_base_id": base})
        assert (answer.status_code, answer.json()["code"]) == (404, "knowledge_base_not_found")


async def test_an_idempotency_key_begins_one_upload(person: Any) -> None:
    body = {"filename": "a.txt", "size_bytes": 10}
    made = [
        (await person.http.post(UPLOADS, json=body, headers={"Idempotency-Key": "k"})).json()["id"]
        for _ in range(2)
    ]
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("content", "changes", "status", "code"),
    [
        pytest.param(CONTENT, {"sha256": "0" * 64}, 422, "checksum_mismatch", id="another-sha256"),
        pytest.param(CONTENT, {"filename": "long.pdf"}, 415, "type_refused", id="another-type"),
        pytest.param(b"\x00" * len(CONTENT), {}, 415, "type_refused", id="zeros"),
    ],
)
async def test_a_whole_that_is_refused_stays_refused_and_leaves_nothing(
    service: Any, person: Any, content: bytes, changes: dict[str, Any], status: int, code: str
) -> None:
    upload_id = (await begin(person, **changes))["id"]
    refused = await send_all(person, upload_id, content)
    assert (refused.status_code, refused.json()["code"]) == (status, code), refused.text
    again = await send(person, upload_id, CUTS[-1], content[CUTS[-1] :])
    assert (again.status_code, again.json()["code"]) == (status, code)
    assert (await person.http.get(f"{UPLOADS}/{upload_id}")).json()["error"]["code"] == code
    assert not [key for key in service.stored() if upload_id in key or str(person.principal.user_id) in key]
    assert (await person.http.get("/api/v1/retrieval/quota")).json()["files"] == 0


async def test_a_crash_after_a_chunk_was_stored_and_before_it_counted_costs_that_chunk_only(
    service: Any, person: Any
) -> None:
    upload_id = (await begin(person))["id"]
    await send(person, upload_id, 0, CONTENT[:CHUNK])
    # What such a crash leaves: an object that no row names.
    stray = service.objects / "uploads" / upload_id / f"{CHUNK:016d}-{uuid7()}"
    stray.write_bytes(b"half a chunk")
    assert (await person.http.get(f"{UPLOADS}/{upload_id}")).json()["offset"] == CHUNK
    for offset in CUTS[1:]:
        last = await send(person, upload_id, offset, CONTENT[offset : offset + CHUNK])
    document_id = last.json()["document"]["document_id"]
    assert (await person.http.get(f"{FILES}/{document_id}/content")).content == CONTENT
    await service.sql("UPDATE upload SET expires_at = now() WHERE id = $1::text::uuid", upload_id)

    async def purged() -> bool:
        return not stray.exists()

    await service.until(purged)
    assert (await person.http.get(f"{FILES}/{document_id}")).status_code == 200


async def test_an_upload_given_up_or_left_alone_is_removed(service: Any, person: Any) -> None:
    given_up, left_alone = [(await begin(person))["id"] for _ in range(2)]
    for upload_id in (given_up, left_alone):
        await send(person, upload_id, 0, CONTENT[:CHUNK])
    assert (await person.http.delete(f"{UPLOADS}/{given_up}")).status_code == 204
    await service.sql(
        "UPDATE upload SET expires_at = now() - interval '1 s' WHERE id = $1::text::uuid", left_alone
    )
    for upload_id in (given_up, left_alone):
        assert (await person.http.get(f"{UPLOADS}/{upload_id}")).status_code == 404
        late = await send(person, upload_id, CHUNK, CONTENT[CHUNK : CHUNK * 2])
        assert (late.status_code, late.json()["code"]) == (404, "upload_not_found")

    async def purged() -> bool:
        return not parts_of(service, given_up) and not parts_of(service, left_alone)

    await service.until(purged)
    assert (await person.http.get("/api/v1/retrieval/quota")).json()["files"] == 0


async def test_chunks_of_uploads_that_are_gone_are_swept(service: Any) -> None:
    known = (await begin(service.person()))["id"]
    paths = [service.objects / "uploads" / folder / "0" for folder in (str(uuid4()), known, str(uuid4()))]
    for path, age_s in zip(paths, (7200, 7200, 0), strict=True):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
        stamp = path.stat().st_mtime - age_s
        os.utime(path, (stamp, stamp))
    await service.inside(service.app.state.purge_strays())
    assert [path.exists() for path in paths] == [False, True, True]


async def test_a_strangers_upload_looks_as_if_it_were_not_there(service: Any, person: Any) -> None:
    upload_id = (await begin(person))["id"]
    for caller in (service.person(), service.person(make_principal(organisation_id=uuid7()))):
        for target in (upload_id, str(uuid4())):
            answers = [
                await caller.http.get(f"{UPLOADS}/{target}"),
                await caller.http.delete(f"{UPLOADS}/{target}"),
                await send(caller, target, 0, CONTENT[:CHUNK]),
            ]
            assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
                (404, "upload_not_found")
            ] * 3
    assert (await person.http.get(f"{UPLOADS}/{upload_id}")).json()["offset"] == 0


class _Listed:
    """A store with many chunks of few uploads."""

    def __init__(self, keys: list[str]) -> None:
        self.keys = set(keys)

    async def list(self, prefix: str) -> AsyncGenerator[StoredObject]:
        for key in sorted(self.keys):
            yield StoredObject(key, 1, utc_now() - timedelta(days=1))

    async def delete(self, key: str) -> None:
        self.keys.remove(key)


async def test_strays_are_looked_up_by_the_hundred(service: Any, person: Any) -> None:
    known = (await begin(person))["id"]
    kept = [f"uploads/{known}/{number}" for number in range(700)]
    store = _Listed([*kept, *(f"uploads/{uuid7()}/0" for _ in range(400)), "uploads/nonsense"])
    database = Database(service.database_url, schema="retrieval", pool_max=1)
    transactions = 0

    class Counting:
        def transaction(self) -> Any:
            nonlocal transactions
            transactions += 1
            return database.transaction()

    await UploadSweeper(cast("Any", Counting()), cast("Any", store), cast("Any", None)).purge_strays()
    await database.dispose()
    assert store.keys == set(kept)
    assert transactions <= 3
