"""What the running platform takes of the machine's memory."""

import pytest
from suite.people import Person
from suite.stack import Stack
from suite.waiting import until

pytestmark = pytest.mark.e2e

# Where the tools of development are installed, httpx also loads its command line (rich, pygments). Who runs
# the platform does not have it.
OF_DEVELOPMENT_BYTES = 4_600_000
SERVICE_BYTES_MAX = 130 * 10**6 + OF_DEVELOPMENT_BYTES
WITH_WORKFLOWS_BYTES_MAX = (
    160 * 10**6 + OF_DEVELOPMENT_BYTES
)  # agents and retrieval carry the workflow engine and the vector store
TOTAL_BYTES_MAX = 900 * 10**6 + 6 * OF_DEVELOPMENT_BYTES
WITH_CHILDREN = {"postgres", "inference-service"}  # database connections; the embed worker


def fitting(stack: Stack) -> dict[str, int]:
    """The size of each process but the model's; empty while they are too much together."""
    sizes = stack.memory_pss_bytes()
    sizes.pop("model-server", None)
    return sizes if sum(sizes.values()) < TOTAL_BYTES_MAX else {}


def test_the_platform_fits_beside_other_work(stack: Stack, person: Person) -> None:
    # The embed worker is up and has just had a batch of long texts.
    texts = ["The cat sat on the mat and looked at the sea for a long while. " * 16] * 16
    answer = person.http.post(
        "/v1/embeddings", json={"model": "all-minilm-l6-v2", "input": texts}, timeout=120
    )
    assert answer.status_code == 200, answer.text
    # It gives memory back as soon as nothing more comes.
    try:
        sizes = until(lambda: fitting(stack), within_s=30, what=f"the platform in {TOTAL_BYTES_MAX} bytes")
    except AssertionError:
        pytest.fail(f"the platform is larger than {TOTAL_BYTES_MAX} bytes: {stack.memory_pss_bytes()}")
    megabytes = {name: size // 10**6 for name, size in sizes.items()}
    limits = {"agent-service": WITH_WORKFLOWS_BYTES_MAX, "retrieval-service": WITH_WORKFLOWS_BYTES_MAX}
    over = {
        name
        for name, size in sizes.items()
        if size > limits.get(name, SERVICE_BYTES_MAX) and name not in WITH_CHILDREN
    }
    assert over == set(), megabytes
