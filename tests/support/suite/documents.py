"""Files, knowledge bases and agents of a person, through port 8000."""

from typing import Any

from suite.pdf import pdf
from suite.people import Person
from suite.waiting import until

HANDBOOK = (
    ("Handbook of the lighthouse at Norrholm", "", "The tower was built in 1874 and painted white and red."),
    (
        "Visits",
        "",
        "The lighthouse keeper of Norrholm is called Ottilie Brandvik.",
        "Visitors may climb the tower on Thursdays between ten and four.",
        "The ascent has 212 steps.",
    ),
    ("The lamp", "", "The lamp turns once every nine seconds and is seen from 31 kilometres."),
)


def upload(
    person: Person, name: str, content: bytes, content_type: str, *, knowledge_base_id: str | None = None
) -> dict[str, Any]:
    """One file by multipart; returns its metadata as the upload answered."""
    data = {} if knowledge_base_id is None else {"knowledge_base_id": knowledge_base_id}
    answer = person.http.post(
        "/api/v1/retrieval/files", files={"file": (name, content, content_type)}, data=data
    )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ended(person: Person, file_id: str, *, within_s: float = 60) -> dict[str, Any]:
    """The document once its ingestion has ended, well or not."""

    def end() -> dict[str, Any] | None:
        document: dict[str, Any] = person.get(f"/api/v1/retrieval/files/{file_id}")
        return document if document["stage"] in {"ready", "failed", "cancelled"} else None

    return until(end, within_s=within_s, what="the end of the ingestion", every_s=0.2) or {}


def ready(person: Person, name: str, content: bytes, content_type: str, **members: Any) -> dict[str, Any]:
    """An uploaded file that can be asked."""
    document = ended(person, upload(person, name, content, content_type, **members)["document_id"])
    assert document["stage"] == "ready", document
    return document


def handbook(person: Person) -> dict[str, Any]:
    """A PDF of three pages that can be asked."""
    return ready(person, "norrholm.pdf", pdf(HANDBOOK), "application/pdf")


def search(person: Person, query: str, **members: Any) -> dict[str, Any]:
    """The answer of a search."""
    answer = person.http.post("/api/v1/retrieval/search", json={"query": query, **members})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def knowledge_base(person: Person, name: str = "Lighthouses", **members: Any) -> str:
    """The id of a new knowledge base."""
    answer = person.http.post("/api/v1/retrieval/knowledge-bases", json={"name": name, **members})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def agent(person: Person, *, tools: list[str], **members: Any) -> str:
    """The id of a new agent with these tools."""
    body = {"name": "Helper", "tools": [{"name": tool} for tool in tools], **members}
    answer = person.http.post("/api/v1/agents", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
