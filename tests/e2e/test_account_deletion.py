"""A person is deleted, and what the whole platform then knows of them is what docs/retention.md says."""

import re
from pathlib import Path

import pytest
from suite.documents import agent, knowledge_base, ready
from suite.people import Person
from suite.stack import Stack
from suite.waiting import until

pytestmark = pytest.mark.e2e

PAGE = Path(__file__).resolve().parents[2] / "docs/retention.md"
WORD = "quillwortbeacon"
_TABLES = """
SELECT c.oid::regclass::text AS name, n.nspname || '.' || coalesce(p.relname, c.relname) AS listed
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""


def tables_holding(stack: Stack, text: str) -> set[str]:
    """The tables, as the page names them, with a row that holds the text anywhere."""
    found: set[str] = set()
    for table in stack.ledger.rows(_TABLES):
        if stack.ledger.value(
            f"SELECT EXISTS (SELECT FROM {table['name']} t WHERE strpos(t::text, $1) > 0)", text
        ):
            found.add(table["listed"])
    return found


def tables_with_ids() -> set[str]:
    """The tables that may keep a pseudonym."""
    found: set[str] = set()
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and cells[-1].startswith("ids"):
            found |= set(re.findall(r"`([a-z_]+\.[a-z_]+)`", cells[0]))
    return found


def test_a_deleted_account_leaves_pseudonyms_only(
    stack: Stack, admin: Person, person: Person, stranger: Person
) -> None:
    base = knowledge_base(person, name=f"base {WORD}")
    document = ready(
        person,
        f"{WORD}.txt",
        f"The {WORD} burns at night. ".encode() * 30,
        "text/plain",
        knowledge_base_id=base,
    )
    helper = agent(person, tools=["search_documents"], instructions=f"say {WORD}", knowledge_base_ids=[base])
    person.chat("fake-echo").post(f"tell me of the {WORD}")
    person.make_key(name=f"key {WORD}")
    theirs = stranger.chat("fake-echo")
    theirs.post("mine stays")
    objects = stack.home.root / "data" / "objects"
    assert helper
    assert {"chat.message", "retrieval.file", "agent.agent", "gateway.api_key"} <= tables_holding(stack, WORD)
    assert list(objects.rglob(f"*{document['document_id']}*"))
    usage = stack.ledger.value("SELECT count(*) FROM billing.usage_event WHERE user_id = $1::uuid", person.id)

    assert admin.http.delete(f"/api/v1/admin/users/{person.id}").status_code == 204

    assert person.http.get("/api/v1/auth/me").status_code == 401
    until(
        lambda: not tables_holding(stack, WORD),
        within_s=60,
        what="every row with the person's words to be gone",
    )
    assert tables_holding(stack, person.email) == set()
    assert tables_holding(stack, person.id) <= tables_with_ids()
    assert list(objects.rglob(f"*{document['document_id']}*")) == []
    assert usage > 0
    assert (
        stack.ledger.value("SELECT count(*) FROM billing.usage_event WHERE user_id = $1::uuid", person.id)
        == usage
    )
    assert stranger.get(f"{theirs.path}/messages")["data"][0]["content"] == "mine stays"
