"""What the running platform takes of the machine's memory."""

import pytest
from suite.stack import Stack

pytestmark = pytest.mark.e2e

SERVICE_BYTES_MAX = 130 * 10**6
TOTAL_BYTES_MAX = 900 * 10**6
WITH_CHILDREN = {"postgres", "inference-service"}  # database connections; the embed worker, which ends when it is idle


def test_the_platform_fits_beside_other_work(stack: Stack) -> None:
    sizes = stack.memory_pss_bytes()
    model = sizes.pop("model-server", 0)
    megabytes = {name: size // 10**6 for name, size in sizes.items()}
    assert sum(sizes.values()) < TOTAL_BYTES_MAX, f"{megabytes}, and the model {model // 10**6}"
    assert {name: size for name, size in megabytes.items() if size * 10**6 > SERVICE_BYTES_MAX and name not in WITH_CHILDREN} == {}
