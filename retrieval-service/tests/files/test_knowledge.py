"""Knowledge bases: who reads them, who changes them, and what becomes of their files."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from identities import make_principal
from retrieval_service.files import service as files
from retrieval_service.files.errors import FileNotFound
from retrieval_service.knowledge.errors import KnowledgeBaseNotFound
from retrieval_service.vectors.port import Scope
from shared.ids import uuid7

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES = "/api/v1/retrieval/files"
BASES = "/api/v1/retrieval/knowledge-bases"


async def test_a_knowledge_base_is_made_read_changed_and_deleted(person: Any) -> None:
    made = await person.http.post(BASES, json={"name": "Birds", "description": "of the river"})
    assert made.status_code == 201
    base = made.json()
    assert (base["name"], base["access"], base["writable"], base["file_count"]) == (
        "Birds",
        "private",
        True,
        0,
    )
    changed = (
        await person.http.patch(f"{BASES}/{base['id']}", json={"name": "Herons", "access": "organisation"})
    ).json()
    assert (changed["name"], changed["description"], changed["access"]) == (
        "Herons",
        "of the river",
        "organisation",
    )
    assert changed["updated_at"] > base["updated_at"]
    assert (await person.http.get(f"{BASES}/{base['id']}")).json() == changed
    assert (await person.http.delete(f"{BASES}/{base['id']}")).status_code == 204
    for method in ("GET", "DELETE"):
        assert (await person.http.request(method, f"{BASES}/{base['id']}")).status_code == 404


async def test_bad_input_is_refused(person: Any) -> None:
    base = await person.new_base()
    bad: list[dict[str, Any]] = [{}, {"name": ""}, {"name": "  "}, {"name": "a\nb"}, {"name": "x" * 101},
    {"name": "a", "access": "public"},
                                 {"name": "a", "more": 1}, {"name": "a", "description": "a\x00"}]  # fmt: skip
    for body in bad:
        assert (await person.http.post(BASES, json=body)).status_code == 422, body
    for body in ({"name": None}, {"access": None}, {"description": None}, {"more": 1}):
        assert (await person.http.patch(f"{BASES}/{base}", json=body)).status_code == 422, body
    for query in ("?after=x", "?limit=0"):
        assert (await person.http.get(BASES + query)).status_code == 422, query
    assert (await person.http.post(f"{BASES}/{base}/files", json={"file_id": "x"})).status_code == 422


async def test_an_idempotency_key_makes_one_knowledge_base(person: Any) -> None:
    made = [
        (await person.http.post(BASES, json={"name": "A"}, headers={"Idempotency-Key": "k"})).json()["id"]
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert len((await person.http.get(BASES)).json()["data"]) == 1


async def test_knowledge_bases_are_listed_newest_first_by_pages(service: Any) -> None:
    person = service.person(make_principal(organisation_id=uuid7()))
    made = [await person.new_base(f"{n}") for n in range(3)]
    first = (await person.http.get(f"{BASES}?limit=2")).json()
    assert [row["id"] for row in first["data"]] == made[:0:-1]
    rest = (await person.http.get(f"{BASES}?after={first['last_id']}")).json()
    assert ([row["id"] for row in rest["data"]], rest["has_more"]) == ([made[0]], False)


async def test_files_are_linked_and_unlinked_and_stay(person: Any) -> None:
    first, second = await person.new_base("First"), await person.new_base("Second")
    file_id = await person.new_file(knowledge_base_id=first)
    for _ in range(2):
        linked = await person.http.post(f"{BASES}/{second}/files", json={"file_id": file_id})
        assert (linked.status_code, linked.json()["knowledge_base_ids"]) == (200, [first, second])
    assert linked.json()["qdrant_collection"] == f"kb-{first}"
    assert (await person.http.get(f"{BASES}/{second}")).json()["file_count"] == 1
    listed = (await person.http.get(f"{BASES}/{second}/files")).json()["data"]
    assert [row["document_id"] for row in listed] == [file_id]
    assert (await person.http.delete(f"{BASES}/{first}/files/{file_id}")).status_code == 204
    assert (await person.http.delete(f"{BASES}/{first}/files/{file_id}")).status_code == 404
    assert (await person.http.get(f"{FILES}/{file_id}")).json()["knowledge_base_ids"] == [second]


async def test_deleting_a_knowledge_base_keeps_its_files_unless_asked_otherwise(
    service: Any, person: Any
) -> None:
    kept_base, emptied_base = await person.new_base(), await person.new_base()
    kept = await person.new_file(knowledge_base_id=kept_base)
    deleted = await person.new_file(knowledge_base_id=emptied_base)
    await person.http.post(f"{BASES}/{kept_base}/files", json={"file_id": deleted})
    await person.http.delete(f"{BASES}/{kept_base}")
    assert (await person.http.get(f"{FILES}/{kept}")).json()["knowledge_base_ids"] == []
    assert (await person.http.get(f"{FILES}/{deleted}")).status_code == 200
    await person.http.delete(f"{BASES}/{emptied_base}?delete_files=true")
    assert (await person.http.get(f"{FILES}/{deleted}")).status_code == 404
    assert [row["document_id"] for row in (await person.http.get(FILES)).json()["data"]] == [kept]


async def test_an_open_knowledge_base_is_read_by_its_organisation_and_changed_by_its_owner(
    service: Any, person: Any
) -> None:
    base = await person.new_base(access="organisation")
    ready, failed = (
        await person.new_file(knowledge_base_id=base),
        await person.new_file(knowledge_base_id=base),
    )
    await service.set_stage(ready, "ready")
    await service.set_stage(failed, "failed")
    colleague = service.person()
    seen = (await colleague.http.get(f"{BASES}/{base}")).json()
    assert (seen["writable"], seen["access"]) == (False, "organisation")
    assert base in [row["id"] for row in (await colleague.http.get(BASES)).json()["data"]]
    listed = (await colleague.http.get(f"{BASES}/{base}/files")).json()["data"]
    assert [row["document_id"] for row in listed] == [ready]
    assert (await colleague.http.get(f"{FILES}/{ready}")).json()["knowledge_base_ids"] == [base]
    assert (await colleague.http.get(f"{FILES}/{ready}/content")).status_code == 200
    assert (await colleague.http.get(f"{FILES}/{failed}")).status_code == 404
    own = await colleague.new_file()
    changes: list[tuple[str, str, Any]] = [
        ("PATCH", "", {"name": "Mine"}),
        ("DELETE", "", None),
        ("DELETE", "?delete_files=true", None),
        ("POST", "/files", {"file_id": own}),
        ("DELETE", f"/files/{ready}", None),
    ]
    for method, path, body in changes:
        answer = await colleague.http.request(method, f"{BASES}/{base}{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "knowledge_base_not_found"), (
            method,
            path,
        )
    own_base = await colleague.new_base()
    relinked = await colleague.http.post(f"{BASES}/{own_base}/files", json={"file_id": ready})
    assert relinked.status_code == 404  # reading is not passing on
    for method, path in (("DELETE", ""), ("POST", "/cancel"), ("POST", "/retry")):
        assert (await colleague.http.request(method, f"{FILES}/{ready}{path}")).status_code == 404
    await person.http.patch(f"{BASES}/{base}", json={"access": "private"})
    assert (await colleague.http.get(f"{FILES}/{ready}")).status_code == 404


async def test_a_closed_or_foreign_knowledge_base_looks_as_if_it_were_not_there(
    service: Any, person: Any
) -> None:
    closed, opened = await person.new_base(), await person.new_base(access="organisation")
    colleague, stranger = service.person(), service.person(make_principal(organisation_id=uuid7()))
    for caller, base in (
        (colleague, closed),
        (stranger, closed),
        (stranger, opened),
        (stranger, str(uuid4())),
    ):
        own = await caller.new_file()
        calls: list[tuple[str, str, Any]] = [
            ("GET", "", None),
            ("PATCH", "", {"name": "x"}),
            ("DELETE", "", None),
            ("GET", "/files", None),
            ("POST", "/files", {"file_id": own}),
            ("DELETE", f"/files/{own}", None),
        ]
        for method, path, body in calls:
            answer = await caller.http.request(method, f"{BASES}/{base}{path}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "knowledge_base_not_found"), (
                method,
                path,
            )
        assert base not in [row["id"] for row in (await caller.http.get(BASES)).json()["data"]]


async def _selection(service: Any, person: Any, bases: list[str], ids: list[str]) -> dict[str, set[str]]:
    async def select() -> Scope:
        async with service.app.state.database.transaction() as session:
            return await files.readable_selection(
                session, person.principal, [UUID(base) for base in bases], [UUID(one) for one in ids]
            )

    scope = await service.inside(select())
    assert scope.organisation_id == person.principal.organisation_id
    return {
        selection.collection: {str(one) for one in selection.file_ids or ()} for selection in scope.selections
    }


async def test_a_search_sees_the_ready_files_of_what_was_named_and_nothing_else(
    service: Any, person: Any
) -> None:
    base = await person.new_base(access="organisation")
    inside, linked, loose, unready = [
        await person.new_file(**extra) for extra in ({"knowledge_base_id": base}, {}, {}, {})
    ]
    await person.http.post(f"{BASES}/{base}/files", json={"file_id": linked})
    for file_id in (inside, linked, loose):
        await service.set_stage(file_id, "ready")
    await service.set_stage(unready, "embedding")
    in_base, in_own = f"kb-{base}", f"u-{person.principal.user_id}"
    assert await _selection(service, person, [], []) == {in_base: {inside}, in_own: {linked, loose}}
    assert await _selection(service, person, [base], []) == {in_base: {inside}, in_own: {linked}}
    assert await _selection(service, person, [base, base], [loose, unready]) == {
        in_base: {inside},
        in_own: {linked, loose},
    }
    colleague = service.person()
    assert await _selection(service, colleague, [], []) == {}
    assert await _selection(service, colleague, [base], [linked]) == {in_base: {inside}, in_own: {linked}}
    for refused in (loose, unready, str(uuid4())):
        with pytest.raises(FileNotFound):
            await _selection(service, colleague, [base], [refused])
    stranger = service.person(make_principal(organisation_id=uuid7()))
    for named in (base, str(uuid4())):
        with pytest.raises(KnowledgeBaseNotFound):
            await _selection(service, stranger, [named], [])
    await person.http.delete(f"{FILES}/{inside}")
    assert await _selection(service, person, [base], []) == {in_own: {linked}}
