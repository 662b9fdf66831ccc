"""Limits of files: size, quota, and what a crash leaves to the jobs."""

import asyncio
from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES = "/api/v1/retrieval/files"
UPLOADS = "/api/v1/retrieval/uploads"
TEXT = b"The heron waits at the weir.\nIt knows the hour of the fish.\n"


async def test_a_file_that_is_too_large_is_refused_by_its_length_and_by_its_bytes(start: Any) -> None:
    async with start(file_size_max_bytes=2000) as service:
        person = service.person()
        told = await person.upload(b"a" * 100_000)
        assert (told.status_code, told.json()["code"]) == (413, "file_too_large")
        assert "2000 bytes" in told.json()["detail"]

        async def untold() -> Any:
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
            for _ in range(30):
                yield b"a" * 100
            yield b"\r\n--x--\r\n"

        streamed = await person.http.post(
            FILES, content=untold(), headers={"content-type": "multipart/form-data; boundary=x"}
        )
        assert (streamed.status_code, streamed.json()["code"]) == (413, "file_too_large")
        announced = await person.http.post(UPLOADS, json={"filename": "a.txt", "size_bytes": 2001})
        assert (announced.status_code, announced.json()["code"]) == (413, "file_too_large")
        assert "413" in await _status_of_declared_length(
            service.base_url, person.http.headers["authorization"], 99_999_999_999
        )
        assert not [key for key in service.stored() if str(person.principal.user_id) in key]


async def _status_of_declared_length(base_url: str, authorization: str, length: int) -> str:
    """The status line for a form of which only the headers are sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(base_url.rsplit(":", 1)[1]))
    writer.write(
        f"POST {FILES} HTTP/1.1\r\nhost: x\r\nauthorization: {authorization}\r\n"
        f"content-type: multipart/form-data; boundary=x\r\ncontent-length: {length}\r\n\r\n".encode()
    )
    line = await reader.readline()
    writer.close()
    return line.decode()


async def test_a_full_quota_is_refused_with_what_fills_it(start: Any) -> None:
    async with start(file_quota_files=2, file_quota_bytes=3000) as service:
        person = service.person()
        first = await person.new_file(b"a" * 2000)
        too_much = await person.upload(b"a" * 1500)
        assert (too_much.status_code, too_much.json()["code"]) == (413, "quota_exceeded")
        assert "2000 of 3000 bytes" in too_much.json()["detail"]
        upload = (await person.http.post(UPLOADS, json={"filename": "b.txt", "size_bytes": 900})).json()["id"]
        full = await person.upload(TEXT)
        assert (full.status_code, full.json()["code"]) == (413, "quota_exceeded")
        assert "2 files of at most 2" in full.json()["detail"]
        assert (
            await person.http.post(UPLOADS, json={"filename": "c.txt", "size_bytes": 1})
        ).status_code == 413
        await person.http.delete(f"{UPLOADS}/{upload}")
        await person.http.delete(f"{FILES}/{first}")
        assert (await person.upload(b"a" * 2500)).status_code == 201
        assert (await service.person().upload(b"a" * 2500)).status_code == 201


async def test_a_repeated_upload_gets_its_answer_though_the_quota_is_full_now(start: Any) -> None:
    async with start(file_quota_files=1) as service:
        person = service.person()
        headers = {"Idempotency-Key": "last one"}
        first = await person.upload(headers=headers)
        again = await person.upload(headers=headers)
        assert (first.status_code, again.status_code, first.json()) == (201, 201, again.json())
        assert (await person.upload()).status_code == 413


async def test_a_file_nobody_enqueued_is_enqueued_later(start: Any) -> None:
    async with start() as service:
        person = service.person()
        file_id = await person.new_file()
        # As after a crash between the commit of the row and the start of its workflow.
        await service.sql(
            "UPDATE file SET stage = 'queued', attempt = 7, enqueued_attempt = 6 WHERE id = $1::text::uuid",
            file_id,
        )

        async def begun() -> bool:
            return bool(
                await service.sql(
                    "SELECT 1 FROM file WHERE id = $1::text::uuid AND enqueued_attempt = 7", file_id
                )
            )

        await service.until(begun)


async def test_a_file_deleted_before_a_crash_is_removed_by_the_next_process(start: Any) -> None:
    async with start(file_jobs_interval_s=3600) as service:
        person = service.person()
        file_id = await person.new_file()
        await service.set_stage(file_id, "ready")
        key = (await person.http.get(f"{FILES}/{file_id}")).json()["s3_key"]
        await person.http.delete(f"{FILES}/{file_id}")
        assert key in service.stored()
    async with start() as service:

        async def gone() -> bool:
            return key not in service.stored()

        await service.until(gone)


async def test_a_crash_before_the_chunks_were_joined_is_made_good_by_the_next_process(start: Any) -> None:
    async with start(file_jobs_interval_s=3600) as service:
        person = service.person()
        upload_id = (
            await person.http.post(UPLOADS, json={"filename": "a.txt", "size_bytes": len(TEXT)})
        ).json()["id"]
        service.app.state.uploads._assembler = _NeverJoins()  # as a process that dies at this point
        sent = await person.http.patch(f"{UPLOADS}/{upload_id}", content=TEXT, headers={"upload-offset": "0"})
        assert (sent.status_code, sent.json()["offset"]) == (200, len(TEXT))
        assert (await person.http.get(f"{UPLOADS}/{upload_id}")).json()["document"] is None
    async with start() as service:
        person = service.person(person.principal)

        async def joined() -> bool:
            return (await person.http.get(f"{UPLOADS}/{upload_id}")).json()["document"] is not None

        await service.until(joined)
        assert len((await person.http.get(FILES)).json()["data"]) == 1


class _NeverJoins:
    async def finish(self, upload: Any) -> None:
        """Nothing comes after the last chunk."""


async def test_a_person_has_few_unfinished_uploads(start: Any) -> None:
    async with start(uploads_open_per_user_max=2) as service:
        person = service.person()
        body = {"filename": "a.txt", "size_bytes": 10}
        first = (await person.http.post(UPLOADS, json=body)).json()["id"]
        assert (await person.http.post(UPLOADS, json=body)).status_code == 201
        third = await person.http.post(UPLOADS, json={"filename": "a.txt", "size_bytes": 1})
        assert (third.status_code, third.json()["code"]) == (429, "too_many_uploads")
        await person.http.delete(f"{UPLOADS}/{first}")
        assert (await person.http.post(UPLOADS, json=body)).status_code == 201
