"""What the running platform takes of the machine's memory."""

import pytest
from suite.stack import Stack
from suite.waiting import until

pytestmark = pytest.mark.e2e

SERVICE_BYTES_MAX = 130 * 10**6
WITH_WORKFLOWS_BYTES_MAX = 160 * 10**6  # agents and retrieval carry the workflow engine and the vector store
TOTAL_BYTES_MAX = 900 * 10**6
WITH_CHILDREN = {"postgres", "inference-service"}  # database connections; the embed worker, which ends when it is idle


def within(stack: Stack, bytes_max: int) -> dict[str, int]:
    """What each process takes without the model server; nothing while it is too much."""
    sizes = stack.memory_pss_bytes()
    sizes.pop("model-server", None)
    return sizes if sum(sizes.values()) < bytes_max else {}


def test_the_platform_fits_beside_other_work(stack: Stack) -> None:
    # At rest: the embed worker of earlier tests ends when nobody asks it.
    sizes = until(lambda: within(stack, TOTAL_BYTES_MAX), within_s=60, what=f"less than {TOTAL_BYTES_MAX} bytes", every_s=1)
    megabytes = {name: size // 10**6 for name, size in sizes.items()}
    limits = {"agent-service": WITH_WORKFLOWS_BYTES_MAX, "retrieval-service": WITH_WORKFLOWS_BYTES_MAX}
    over = {name for name, size in sizes.items() if size > limits.get(name, SERVICE_BYTES_MAX) and name not in WITH_CHILDREN}
    assert over == set(), megabytes
