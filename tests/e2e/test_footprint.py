"""What the running platform takes of the machine's memory."""

import pytest
from suite.stack import Stack

pytestmark = pytest.mark.e2e

SERVICE_BYTES_MAX = 130 * 10**6
WITH_WORKFLOWS_BYTES_MAX = 160 * 10**6  # agents and retrieval carry the workflow engine and the vector store
TOTAL_BYTES_MAX = 900 * 10**6
WITH_CHILDREN = {"postgres", "inference-service"}  # database connections; the embed worker, which ends when it is idle


def test_the_platform_fits_beside_other_work(stack: Stack) -> None:
    sizes = stack.memory_pss_bytes()
    model = sizes.pop("model-server", 0)
    megabytes = {name: size // 10**6 for name, size in sizes.items()}
    assert sum(sizes.values()) < TOTAL_BYTES_MAX, f"{megabytes}, and the model {model // 10**6}"
    limits = {"agent-service": WITH_WORKFLOWS_BYTES_MAX, "retrieval-service": WITH_WORKFLOWS_BYTES_MAX}
    over = {name for name, size in sizes.items() if size > limits.get(name, SERVICE_BYTES_MAX) and name not in WITH_CHILDREN}
    assert over == set(), megabytes
