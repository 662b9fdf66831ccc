"""Two people: while one has many files read and floods the embedding model, the other neither waits for a
small file nor for a search.
"""

import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from suite.documents import ended, ready, search, upload
from suite.people import Person
from suite.waiting import is_within, until

pytestmark = pytest.mark.e2e

LONG = "A paragraph about nothing in particular, told at some length and with many words. " * 12
FILE_WAITS_S = 5.0
SEARCH_WAITS_S = 1.0


@contextmanager
def flooding(person: Person) -> Iterator[None]:
    """Files of a hundred passages, and requests of a hundred texts one after another on three lines."""
    over = threading.Event()
    texts = {"model": "all-minilm-l6-v2", "input": [LONG] * 100}

    def embed() -> None:
        with httpx.Client(
            base_url=person.gateway_url, headers={"authorization": f"Bearer {person.token}"}, timeout=120
        ) as http:
            while not over.is_set():
                http.post("/v1/embeddings", json=texts)

    files = [
        upload(person, f"{number}.txt", (f"{number}. {LONG}\n\n" * 100).encode(), "text/plain")["document_id"]
        for number in range(6)
    ]
    with ThreadPoolExecutor(3) as lines:
        for _ in range(3):
            lines.submit(embed)
        try:
            until(
                lambda: person.get(f"/api/v1/retrieval/files/{files[0]}")["stage"] == "embedding",
                within_s=60,
                what="passages being embedded",
            )
            yield
        finally:
            over.set()
            for name in files:
                person.http.delete(f"/api/v1/retrieval/files/{name}")


def timed(person: Person, name: str) -> tuple[float, float]:
    """Seconds until a small file is ready, and of a search."""
    began_s = time.monotonic()
    uploaded = upload(person, f"{name}.txt", f"Small file {name} of some bytes.".encode(), "text/plain")
    assert ended(person, uploaded["document_id"])["stage"] == "ready"
    file_s = time.monotonic() - began_s
    began_s = time.monotonic()
    assert search(person, f"what is in small file {name}")["data"]
    return file_s, time.monotonic() - began_s


def test_one_persons_flood_keeps_nobody_else_waiting(person: Person, stranger: Person) -> None:
    ready(person, "first.txt", b"The embedding model has started.", "text/plain")
    alone = [timed(person, f"alone {number}") for number in range(3)]
    with flooding(stranger):
        beside = [timed(person, f"beside {number}") for number in range(5)]
    # What it waits for the other, whatever else this machine is at.
    for what, place, waits_max_s in (("file", 0, FILE_WAITS_S), ("search", 1, SEARCH_WAITS_S)):
        waits_s = statistics.median(times[place] for times in beside) - statistics.median(
            times[place] for times in alone
        )
        assert is_within(waits_s, waits_max_s), (what, alone, beside)
