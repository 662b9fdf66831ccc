"""What the running platform takes of the machine's memory."""

import pytest
from suite.people import Person
from suite.stack import Stack
from suite.waiting import until

pytestmark = pytest.mark.e2e

SERVICE_BYTES_MAX = 130 * 10**6
WITH_WORKFLOWS_BYTES_MAX = 160 * 10**6  # agents and retrieval carry the workflow engine and the vector store
TOTAL_BYTES_MAX = 900 * 10**6
WITH_CHILDREN = {"postgres", "inference-service"}  # database connections; the embed worker


def fitting(stack: Stack) -> dict[str, int]:
    """The size of each process but the model's; empty while they are too much together."""
    sizes = stack.memory_pss_bytes()
    sizes.pop("model-server", None)
    return sizes if sum(sizes.values()) < TOTAL_BYTES_MAX else {}


def test_the_platform_fits_beside_other_work(stack: Stack, person: Person) -> None:
    # The embed worker is up and has just had a batch of long texts.
    texts = ["The cat sat on the mat and looked at the sea for a long while. " * 16] * 16
    answer = person.http.post("/v1/embeddings", json={"model": "all-minilm-l6-v2", "input": texts}, timeout=120)
    assert answer.status_code == 200, answer.text
    # It gives memory back as soon as nothing more comes.
    sizes = until(lambda: fitting(stack), within_s=10, what=f"the platform in {TOTAL_BYTES_MAX} bytes")
    megabytes = {name: size // 10**6 for name, size in sizes.items()}
    limits = {"agent-service": WITH_WORKFLOWS_BYTES_MAX, "retrieval-service": WITH_WORKFLOWS_BYTES_MAX}
    over = {name for name, size in sizes.items() if size > limits.get(name, SERVICE_BYTES_MAX) and name not in WITH_CHILDREN}
    assert over == set(), megabytes
