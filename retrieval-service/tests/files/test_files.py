"""Files: what is taken in, what is refused, who sees what, and what a deletion leaves."""

import hashlib
from typing import Any
from uuid import uuid4

import httpx
import pytest
from identities import make_principal
from retrieval_service.files.names import clean_filename
from shared.auth.permissions import Role
from shared.ids import uuid7
from uploads import PDF, REFUSED, TAKEN, TEXT

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES = "/api/v1/retrieval/files"
UPLOADS = "/api/v1/retrieval/uploads"
BASES = "/api/v1/retrieval/knowledge-bases"


async def test_an_uploaded_file_is_described_and_stored(service: Any, person: Any) -> None:
    answer = await person.upload(PDF, "Report.pdf", "application/pdf")
    assert answer.status_code == 201, answer.text
    document = answer.json()
    assert document["filename"] == "Report.pdf"
    assert document["customer_id"] == str(person.principal.organisation_id)
    assert (document["content_type"], document["size_bytes"]) == ("application/pdf", len(PDF))
    assert document["sha256"] == hashlib.sha256(PDF).hexdigest()
    assert (document["stage"], document["embedding_status"], document["qdrant_point_id"]) == (
        "queued",
        "pending",
        None,
    )
    assert document["qdrant_collection"] == f"u-{person.principal.user_id}"
    assert (service.objects / document["s3_key"]).read_bytes() == PDF
    read = (await person.http.get(f"{FILES}/{document['document_id']}")).json()
    assert (read["document_id"], read["sha256"]) == (document["document_id"], document["sha256"])


@pytest.mark.parametrize(("content", "name", "claimed", "found"), TAKEN)
async def test_the_type_is_found_in_the_content(
    person: Any, content: bytes, name: str, claimed: str, found: str
) -> None:
    answer = await person.upload(content, name, claimed)
    assert (answer.status_code, answer.json().get("content_type")) == (201, found), answer.text


@pytest.mark.parametrize(("content", "name", "claimed", "why"), REFUSED)
async def test_other_content_is_refused_and_leaves_nothing(
    service: Any, person: Any, content: bytes, name: str, claimed: str, why: str
) -> None:
    answer = await person.upload(content, name, claimed)
    assert answer.status_code == 415, answer.text
    assert why in answer.json()["detail"]
    assert not [key for key in service.stored() if str(person.principal.user_id) in key]
    assert (await person.http.get(FILES)).json()["data"] == []


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        pytest.param("../../etc/passwd", "passwd", id="path"),
        pytest.param("C:\\docs\\plan.txt", "plan.txt", id="windows-path"),
        pytest.param("a\x00b\r\n.txt", "ab.txt", id="controls"),
        pytest.param("x\u202etxt.md", "xtxt.md", id="direction-override"),
        pytest.param("Grüße 日本.md", "Grüße 日本.md", id="other-scripts"),
        pytest.param("a" * 300 + ".pdf", "a" * 236 + ".pdf", id="long"),
    ],
)
async def test_a_name_is_cleaned(given: str, stored: str) -> None:
    assert clean_filename(given) == stored


async def test_a_name_of_nothing_is_refused(person: Any) -> None:
    for name in ("..", "\u200b", "a/"):
        answer = await person.upload(name=name)
        assert (answer.status_code, answer.json()["code"]) == (422, "filename_invalid"), name


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ("filename*=UTF-8''na%C3%AFve%20file.txt", "naïve file.txt"),
        ("filename*=utf-8'de'Gr%C3%B6%C3%9Fe.txt", "Größe.txt"),
        ("filename=\"fallback.txt\"; filename*=UTF-8''real%20name.txt", "real name.txt"),
        ("filename*=ISO-8859-1''caf%E9.txt; filename=\"cafe.txt\"", "café.txt"),
        ("filename=\"a; filename*=UTF-8''b.txt\"", "a; filename*=UTF-8''b.txt"),
    ],
)
async def test_a_name_that_is_only_given_in_full_is_taken(
    person: Any, disposition: str, filename: str
) -> None:
    head = f'--x\r\nContent-Disposition: form-data; name="file"; {disposition}\r\n\r\n'
    body = head.encode() + b"some words\r\n--x--\r\n"
    answer = await person.http.post(
        FILES, content=body, headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert (answer.status_code, answer.json().get("filename")) == (201, filename)


async def test_a_name_that_is_not_what_it_says_is_refused(person: Any) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; '
        b"filename*=UTF-8''%FF.txt\r\n\r\nabc\r\n--x--\r\n"
    )
    answer = await person.http.post(
        FILES, content=body, headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "form_invalid")


async def test_a_form_that_is_none_is_refused_with_what_is_wrong(person: Any) -> None:
    def form(*parts: str) -> bytes:
        return "".join(f"--x\r\n{part}\r\n" for part in parts).encode() + b"--x--\r\n"

    file_part = 'Content-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nabc'
    base_part = 'Content-Disposition: form-data; name="knowledge_base_id"\r\n\r\n'
    cases: list[tuple[str, bytes, str]] = [
        ("application/json", b"{}", "form_invalid"),
        ("multipart/form-data", b"", "form_invalid"),
        ("multipart/form-data; boundary=x", b"nonsense", "form_invalid"),
        ("multipart/form-data; boundary=x", form(file_part)[:-12], "form_invalid"),
        ("multipart/form-data; boundary=x", form(file_part, file_part), "form_invalid"),
        (
            "multipart/form-data; boundary=x",
            form('Content-Disposition: form-data; name="other"\r\n\r\nabc'),
            "form_invalid",
        ),
        ("multipart/form-data; boundary=x", form(base_part + "abc"), "file_missing"),
        (
            "multipart/form-data; boundary=x",
            form(file_part, 'Content-Disposition: form-data; name="knowledge_base_id"\r\n\r\nx'),
            "form_invalid",
        ),
    ]
    for kind, body, code in cases:
        answer = await person.http.post(FILES, content=body, headers={"content-type": kind})
        assert (answer.status_code, answer.json()["code"]) == (422, code), (kind, body)
    assert (await person.http.get(f"{FILES.rsplit('/', 1)[0]}/quota")).json()["files"] == 0


async def test_the_knowledge_base_may_stand_before_or_after_the_file(person: Any) -> None:
    base = await person.new_base()
    for order in (("knowledge_base_id", "file"), ("file", "knowledge_base_id")):
        parts = {"knowledge_base_id": (None, base), "file": ("a.txt", TEXT, "text/plain")}
        answer = await person.http.post(FILES, files=[(name, parts[name]) for name in order])
        assert answer.status_code == 201, answer.text
        assert answer.json()["knowledge_base_ids"] == [base]
        assert answer.json()["qdrant_collection"] == f"kb-{base}"


async def test_a_file_of_many_chunks_arrives_as_it_was(person: Any) -> None:
    content = b"".join(b"line %d of a long file\n" % n for n in range(400_000))  # 10 MB
    file_id = await person.new_file(content, "long.txt")
    got = await person.http.get(f"{FILES}/{file_id}/content")
    assert hashlib.sha256(got.content).hexdigest() == hashlib.sha256(content).hexdigest()


async def test_an_idempotency_key_makes_one_file(service: Any, person: Any) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await person.upload(headers=headers)
    again = await person.upload(headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = await person.upload(b"another text\n", headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len([key for key in service.stored() if str(person.principal.user_id) in key]) == 1


async def test_a_refused_knowledge_base_leaves_no_file(service: Any, person: Any) -> None:
    foreign = await service.person().new_base(access="organisation")
    for base in (foreign, str(uuid4())):
        answer = await person.upload(knowledge_base_id=base)
        assert (answer.status_code, answer.json()["code"]) == (404, "knowledge_base_not_found")
    assert not [key for key in service.stored() if str(person.principal.user_id) in key]


# -- reading


async def test_files_are_listed_newest_first_by_pages(service: Any, person: Any) -> None:
    made = [await person.new_file(name=f"{n}.txt") for n in range(3)]
    first = (await person.http.get(f"{FILES}?limit=2")).json()
    assert [row["document_id"] for row in first["data"]] == made[:0:-1]
    assert (first["object"], first["has_more"], first["last_id"]) == ("list", True, made[1])
    rest = (await person.http.get(f"{FILES}?limit=2&after={first['last_id']}")).json()
    assert ([row["document_id"] for row in rest["data"]], rest["has_more"]) == ([made[0]], False)
    for file_id, stage in zip(made, ("ready", "failed", "ready"), strict=True):
        await service.set_stage(file_id, stage)
    failed = (await person.http.get(f"{FILES}?stage=failed")).json()["data"]
    assert [(row["document_id"], row["embedding_status"]) for row in failed] == [(made[1], "failed")]
    for query in ("?after=x", "?stage=lost", "?limit=0", "?limit=101", "?knowledge_base_id=1"):
        assert (await person.http.get(FILES + query)).status_code == 422, query


async def test_a_file_is_downloaded_whole_or_by_range(person: Any) -> None:
    url = f"{FILES}/{await person.new_file()}/content"
    whole = await person.http.get(url)
    assert (whole.status_code, whole.content) == (200, TEXT)
    assert whole.headers["accept-ranges"] == "bytes"
    ranges = {
        "bytes=0-3": TEXT[:4],
        "bytes=5-": TEXT[5:],
        "bytes=-6": TEXT[-6:],
        "bytes=10-999999": TEXT[10:],
    }
    for asked, expected in ranges.items():
        part = await person.http.get(url, headers={"range": asked})
        assert (part.status_code, part.content) == (206, expected), asked
        assert part.headers["content-range"].endswith(f"/{len(TEXT)}")
        assert part.headers["content-length"] == str(len(expected))
    for ignored in ("bytes=0-1,3-4", "lines=0-1", "bytes=9-3", "bytes=-", "bytes=x-"):
        assert (await person.http.get(url, headers={"range": ignored})).status_code == 200, ignored
    for behind in ("bytes=999999-", "bytes=-0"):
        refused = await person.http.get(url, headers={"range": behind})
        assert (refused.status_code, refused.headers["content-range"]) == (416, f"bytes */{len(TEXT)}")
    older = await person.http.get(url, headers={"range": "bytes=0-3", "if-range": '"another"'})
    assert (older.status_code, older.content) == (200, TEXT)
    same = await person.http.get(url, headers={"range": "bytes=0-3", "if-range": whole.headers["etag"]})
    assert same.status_code == 206


async def test_nothing_of_a_file_can_run_on_our_origin(person: Any) -> None:
    page = await person.new_file(b"<html><script>alert(1)</script>", "a\"; evil='x'.html")
    for query in ("", "?inline=true"):
        got = await person.http.get(f"{FILES}/{page}/content{query}")
        disposition = got.headers["content-disposition"]
        assert (
            disposition
            == "attachment; filename=\"a__ evil__x_.html\"; filename*=UTF-8''a%22%3B%20evil%3D%27x%27.html"
        )
        assert got.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in got.headers["content-security-policy"]
    for content, name, kind in (
        (PDF, "a.pdf", "application/pdf"),
        (TEXT, "a.txt", "text/plain; charset=utf-8"),
    ):
        shown = await person.http.get(f"{FILES}/{await person.new_file(content, name)}/content?inline=true")
        assert shown.headers["content-disposition"].startswith("inline;")
        assert (shown.headers["content-type"], shown.headers["x-content-type-options"]) == (kind, "nosniff")


# -- changing


async def test_a_deleted_file_is_gone_at_once_and_its_bytes_soon(service: Any, person: Any) -> None:
    base = await person.new_base()
    file_id = await person.new_file(knowledge_base_id=base)
    await service.set_stage(file_id, "ready")
    key = (await person.http.get(f"{FILES}/{file_id}")).json()["s3_key"]
    assert (await person.http.delete(f"{FILES}/{file_id}")).status_code == 204
    for method, path in (
        ("GET", ""),
        ("GET", "/content"),
        ("DELETE", ""),
        ("POST", "/retry"),
        ("POST", "/cancel"),
    ):
        assert (await person.http.request(method, f"{FILES}/{file_id}{path}")).status_code == 404, path
    assert (await person.http.get(FILES)).json()["data"] == []
    assert (await person.http.get(f"{BASES}/{base}/files")).json()["data"] == []
    assert (await person.http.get(f"{BASES}/{base}")).json()["file_count"] == 0

    async def gone() -> bool:
        return key not in service.stored() and not await service.sql(
            "SELECT 1 FROM file WHERE id = $1::text::uuid", file_id
        )

    await service.until(gone)


async def test_a_file_whose_ingestion_runs_keeps_its_tombstone_until_that_has_stopped(
    service: Any, person: Any
) -> None:
    file_id = await person.new_file()
    await service.set_stage(file_id, "embedding")
    await person.http.delete(f"{FILES}/{file_id}")
    for _ in range(3):
        await service.inside(service.app.state.remover.run())
    assert await service.sql("SELECT 1 FROM file WHERE id = $1::text::uuid", file_id)
    await service.sql("UPDATE file SET stage = 'cancelled' WHERE id = $1::text::uuid", file_id)

    async def gone() -> bool:
        return not await service.sql("SELECT 1 FROM file WHERE id = $1::text::uuid", file_id)

    await service.until(gone)


async def test_what_runs_is_asked_to_stop_and_what_ended_can_be_tried_again(
    service: Any, person: Any
) -> None:
    file_id = await person.new_file()
    url = f"{FILES}/{file_id}"
    await service.set_stage(file_id, "parsing")
    running = await person.http.post(f"{url}/cancel")
    assert (running.status_code, running.json()["stage"]) == (200, "parsing")
    assert (await service.sql("SELECT cancel_requested FROM file WHERE id = $1::text::uuid", file_id))[0][0]
    refused = await person.http.post(f"{url}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "stage_conflict")
    await service.set_stage(file_id, "ready")
    assert (await person.http.post(f"{url}/cancel")).status_code == 409
    await service.set_stage(file_id, "failed")
    await service.sql(
        "UPDATE file SET error_code = 'x', error_detail = 'y' WHERE id = $1::text::uuid", file_id
    )
    before = (await service.sql("SELECT attempt FROM file WHERE id = $1::text::uuid", file_id))[0][0]
    again = await person.http.post(f"{url}/retry")
    assert (again.status_code, again.json()["stage"], again.json()["error"]) == (200, "queued", None)
    assert (await service.sql("SELECT attempt FROM file WHERE id = $1::text::uuid", file_id))[0][
        0
    ] == before + 1


async def test_the_quota_counts_files_and_bytes_and_unfinished_uploads(person: Any) -> None:
    await person.new_file()
    made = await person.http.post(UPLOADS, json={"filename": "b.txt", "size_bytes": 1000})
    assert made.status_code == 201
    held = (await person.http.get("/api/v1/retrieval/quota")).json()
    assert (held["files"], held["bytes"]) == (2, len(TEXT) + 1000)
    assert held["files_max"] > 2
    assert held["bytes_max"] >= held["file_bytes_max"] > 0


# -- access


async def test_a_strangers_file_looks_as_if_it_were_not_there(service: Any, person: Any) -> None:
    file_id, base = await person.new_file(), await person.new_base()
    await service.set_stage(file_id, "ready")
    stranger, other_organisation = service.person(), service.person(make_principal(organisation_id=uuid7()))
    admin = service.person(make_principal(Role.ADMIN))
    for caller in (stranger, other_organisation, admin):
        own_base = await caller.new_base()
        for target in (file_id, str(uuid4())):
            calls: list[tuple[str, str, Any]] = [
                ("GET", f"{FILES}/{target}", None),
                ("GET", f"{FILES}/{target}/content", None),
                ("DELETE", f"{FILES}/{target}", None),
                ("POST", f"{FILES}/{target}/cancel", None),
                ("POST", f"{FILES}/{target}/retry", None),
                ("POST", f"{BASES}/{own_base}/files", {"file_id": target}),
                ("DELETE", f"{BASES}/{own_base}/files/{target}", None),
            ]
            for method, url, body in calls:
                answer = await caller.http.request(method, url, json=body)
                assert (answer.status_code, answer.json()["code"]) == (404, "file_not_found"), (method, url)
        assert (await caller.http.get(f"{FILES}?knowledge_base_id={base}")).status_code == 404
        assert (await caller.http.get(FILES)).json()["data"] == []
    assert (await person.http.get(f"{FILES}/{file_id}")).status_code == 200


async def test_without_a_token_or_permission_nothing_answers(service: Any) -> None:
    calls = [("GET", FILES), ("POST", FILES), ("GET", f"{FILES}/{uuid4()}"),
    ("GET", f"{FILES}/{uuid4()}/content"),
             ("DELETE", f"{FILES}/{uuid4()}"), ("GET", "/api/v1/retrieval/quota"), ("POST", UPLOADS),
             ("PATCH", f"{UPLOADS}/{uuid4()}"),
             ("GET", BASES), ("POST", BASES)]  # fmt: skip
    async with httpx.AsyncClient(timeout=60, base_url=service.base_url) as anonymous:
        for method, url in calls:
            assert (await anonymous.request(method, url)).status_code == 401, (method, url)
    pending = service.person(make_principal(Role.PENDING))
    for method, url in calls:
        headers = {"upload-offset": "0"}
        assert (await pending.http.request(method, url, headers=headers)).status_code == 403, (method, url)
