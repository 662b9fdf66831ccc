"""Documents through port 8000: upload, search, ask with citations, share, delete."""

import os

import httpx
import pytest
from shared.ids import uuid7
from suite.documents import HANDBOOK, ended, handbook, knowledge_base, ready, search, upload
from suite.pdf import pdf
from suite.people import Person
from suite.stack import Stack
from suite.waiting import until

pytestmark = pytest.mark.e2e

KEEPER = "Who is the lighthouse keeper?"


def test_an_uploaded_pdf_is_found_with_its_page(person: Person) -> None:
    document = handbook(person)
    assert document["page_count"] == len(HANDBOOK)
    assert document["embedding_status"] == "completed"
    assert document["customer_id"] == person.user["organisation_id"]
    best = search(person, KEEPER)["data"][0]
    assert "Ottilie Brandvik" in best["text"]
    assert (best["file_id"], best["filename"], best["page"]) == (document["document_id"], "norrholm.pdf", 2)


@pytest.mark.parametrize("mode", ["dense", "bm25", "hybrid"])
def test_every_mode_finds_it_and_says_why(person: Person, mode: str) -> None:
    handbook(person)
    for number in range(4):
        ready(
            person,
            f"other-{number}.txt",
            f"Recipe {number}: flour, sugar and {number} eggs, baked slowly.".encode() * 20,
            "text/plain",
        )
    answer = search(person, "lighthouse keeper Brandvik", mode=mode, k=2, rerank=True, trace=True)
    assert "Brandvik" in answer["data"][0]["text"]
    trace = answer["trace"]
    assert trace["mode"] == mode
    used = [candidate["chunk_id"] for candidate in trace["candidates"] if candidate["used"]]
    assert used == [passage["chunk_id"] for passage in answer["data"]]
    assert all(candidate["reason"] for candidate in trace["candidates"])


def test_the_file_comes_back_as_it_was(person: Person) -> None:
    content = pdf(HANDBOOK)
    document = handbook(person)
    answer = person.http.get(f"/api/v1/retrieval/files/{document['document_id']}/content")
    assert answer.content == content
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_resumable_upload_survives_a_break(person: Person) -> None:
    content = ("A line about lighthouses and their keepers.\n" * 4000).encode()
    begun = person.http.post(
        "/api/v1/retrieval/uploads", json={"filename": "long.txt", "size_bytes": len(content)}
    )
    assert begun.status_code == 201, begun.text
    upload_id, half = begun.json()["id"], len(content) // 2
    path = f"/api/v1/retrieval/uploads/{upload_id}"
    octets = {"content-type": "application/octet-stream"}
    first = person.http.patch(path, content=content[:half], headers={**octets, "upload-offset": "0"})
    assert first.json()["offset"] == half
    assert (
        person.http.patch(path, content=content[:10], headers={**octets, "upload-offset": "7"}).status_code
        == 409
    )
    assert person.get(path)["offset"] == half
    last = person.http.patch(path, content=content[half:], headers={**octets, "upload-offset": str(half)})
    assert last.status_code == 200, last.text
    document = ended(person, last.json()["document"]["document_id"])
    assert document["stage"] == "ready"
    assert document["size_bytes"] == len(content)


def test_a_reply_is_given_the_passages_and_cites_them(person: Person) -> None:
    document = handbook(person)
    chat = person.chat("fake-echo")
    turn = chat.post(KEEPER, attachments=[document["document_id"]])
    assert turn.status == "complete"
    assert turn.named("step")[0].data["kind"] == "retrieval"
    citations = [event.data for event in turn.named("citation")]
    assert [citation["n"] for citation in citations] == list(range(1, len(citations) + 1))
    assert any("Ottilie Brandvik" in citation["text"] and citation["page"] == 2 for citation in citations)
    # The provider repeats what it was asked: the passages went to the model.
    assert "Brandvik" in turn.text
    stored = chat.message(turn.reply_id)
    assert stored["citations"] == citations
    question = chat.messages()[0]
    assert [attachment["filename"] for attachment in question["attachments"]] == ["norrholm.pdf"]
    assert question["content"] == KEEPER


def test_a_follow_up_finds_what_the_question_before_it_was_about(person: Person) -> None:
    opened = [
        (
            f"Bakery {number}",
            "",
            f"Since when is bakery {number} open? Since 190{number}, and since then every day.",
        )
        for number in range(6)
    ]
    files = [handbook(person), ready(person, "bakeries.pdf", pdf(opened), "application/pdf")]
    file_ids = [document["document_id"] for document in files]
    alone = search(person, "Since when?", file_ids=file_ids, k=5, rerank=True)["data"]
    assert {passage["filename"] for passage in alone} == {"bakeries.pdf"}
    chat = person.chat("fake-echo")
    chat.post("How often does the lamp of the lighthouse turn?", attachments=file_ids)
    turn = chat.post("Since when?")
    cited = {event.data["chunk_id"]: event.data["text"] for event in turn.named("citation")}
    assert any("nine seconds" in text for text in cited.values())
    assert "nine seconds" in turn.text
    # What the message itself finds best stays.
    assert alone[0]["chunk_id"] in cited


def test_a_chat_asks_its_knowledge_base(person: Person) -> None:
    base = knowledge_base(person)
    ready(person, "norrholm.pdf", pdf(HANDBOOK), "application/pdf", knowledge_base_id=base)
    chat = person.chat("fake-echo")
    assert person.http.patch(chat.path, json={"knowledge_base_ids": [base]}).status_code == 200
    turn = chat.post(KEEPER)
    assert any("Brandvik" in event.data["text"] for event in turn.named("citation"))


def test_the_built_in_model_answers_from_the_pdf(stack: Stack, person: Person) -> None:
    stack.wait_model()
    document = handbook(person)
    turn = person.chat(stack.model_id).post(
        "What is the name of the lighthouse keeper of Norrholm?", attachments=[document["document_id"]]
    )
    assert turn.status == "complete"
    assert "Brandvik" in turn.text
    assert turn.named("citation")


def test_a_file_that_is_not_ready_is_not_sent(person: Person) -> None:
    document = upload(person, "broken.pdf", b"%PDF-1.4\nthis is no PDF", "application/pdf")
    assert ended(person, document["document_id"])["stage"] == "failed"
    chat = person.chat("fake-echo")
    answer = person.http.post(
        f"{chat.path}/messages", json={"content": "hello", "attachments": [document["document_id"]]}
    )
    assert answer.status_code == 409, answer.text
    assert "broken.pdf" in answer.json()["detail"]
    assert chat.messages() == []


def test_a_deleted_file_is_gone_at_once_everywhere(stack: Stack, person: Person) -> None:
    document = handbook(person)
    path = f"/api/v1/retrieval/files/{document['document_id']}"
    assert person.http.delete(path).status_code == 204
    assert person.http.get(path).status_code == 404
    assert search(person, KEEPER)["data"] == []
    folder = stack.home.root / "data" / "objects"

    def left() -> list[str]:
        # walk() passes over a folder that is deleted meanwhile, rglob() does not.
        paths = [
            f"{found}/{name}" for found, folders, names in os.walk(folder) for name in (*folders, *names)
        ]
        return [path for path in paths if document["document_id"] in path or document["s3_key"] in path]

    until(
        lambda: not left(),
        within_s=20,
        what="the object to be gone",
    )


def test_anothers_documents_cannot_be_reached_by_any_body(person: Person, stranger: Person) -> None:
    document, base = handbook(person), knowledge_base(person)
    chat = stranger.chat("fake-echo")
    foreign = document["document_id"]
    refused = [
        stranger.http.post("/api/v1/retrieval/search", json={"query": "x", "file_ids": [foreign]}),
        stranger.http.post("/api/v1/retrieval/search", json={"query": "x", "knowledge_base_ids": [base]}),
        stranger.http.post(
            f"/api/v1/retrieval/knowledge-bases/{knowledge_base(stranger)}/files", json={"file_id": foreign}
        ),
        stranger.http.post(
            "/api/v1/retrieval/uploads",
            json={"filename": "a.txt", "size_bytes": 3, "knowledge_base_id": base},
        ),
        stranger.http.post(
            "/api/v1/retrieval/files",
            files={"file": ("a.txt", b"abc", "text/plain")},
            data={"knowledge_base_id": base},
        ),
        stranger.http.post(f"{chat.path}/messages", json={"content": "x", "attachments": [foreign]}),
        stranger.http.patch(chat.path, json={"knowledge_base_ids": [base]}),
        stranger.http.post("/api/v1/chats", json={"knowledge_base_ids": [base]}),
        stranger.http.post("/api/v1/agents", json={"name": "Spy", "knowledge_base_ids": [base]}),
    ]
    assert [answer.status_code for answer in refused] == [404] * len(refused), [
        answer.text for answer in refused
    ]
    assert search(stranger, KEEPER)["data"] == []
    assert chat.messages() == []


def test_a_knowledge_base_of_the_organisation_is_read_by_all_and_written_by_its_owner(
    person: Person, stranger: Person
) -> None:
    base = knowledge_base(person, access="organisation")
    document = ready(person, "norrholm.pdf", pdf(HANDBOOK), "application/pdf", knowledge_base_id=base)
    assert "Brandvik" in search(stranger, KEEPER, knowledge_base_ids=[base])["data"][0]["text"]
    assert stranger.http.get(f"/api/v1/retrieval/files/{document['document_id']}").status_code == 200
    assert stranger.http.patch(
        f"/api/v1/retrieval/knowledge-bases/{base}", json={"name": "mine"}
    ).status_code in {403, 404}
    assert stranger.http.delete(f"/api/v1/retrieval/files/{document['document_id']}").status_code in {
        403,
        404,
    }
    assert (
        person.http.patch(f"/api/v1/retrieval/knowledge-bases/{base}", json={"access": "private"}).status_code
        == 200
    )
    assert stranger.http.get(f"/api/v1/retrieval/files/{document['document_id']}").status_code == 404
    assert (
        stranger.http.post(
            "/api/v1/retrieval/search", json={"query": "x", "knowledge_base_ids": [base]}
        ).status_code
        == 404
    )


def test_nobodys_ids_are_404(person: Person) -> None:
    nobody = str(uuid7())
    for answer in (
        person.http.get(f"/api/v1/retrieval/files/{nobody}"),
        person.http.post("/api/v1/retrieval/search", json={"query": "x", "file_ids": [nobody]}),
    ):
        assert answer.status_code == 404


def test_too_much_and_the_wrong_kind_is_refused_with_what_to_do(person: Person, stack: Stack) -> None:
    program = person.http.post(
        "/api/v1/retrieval/files", files={"file": ("setup.pdf", b"\x7fELF" + bytes(100), "application/pdf")}
    )
    assert program.status_code == 415, program.text
    try:
        large = person.http.post(
            "/api/v1/retrieval/files",
            files={"file": ("large.txt", b"a" * (stack.body_bytes_max + 1), "text/plain")},
        )
    except httpx.WriteError:
        return  # refused by the declared length, before it was all sent
    assert large.status_code == 413
