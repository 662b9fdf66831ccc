"""The programs that render: the machine's, or those that `make chart-tools` fetched."""

import os
import shutil

import pytest
from cluster_objects import ROOT

TOOLS = ROOT / ".atrium" / "tools"


@pytest.fixture(scope="session")
def helm() -> str:
    return found("helm")


@pytest.fixture(scope="session")
def kubectl() -> str:
    return found("kubectl")


def found(name: str) -> str:
    """Skips, or fails when ATRIUM_REQUIRE says so, where the program is missing."""
    path = shutil.which(name) or shutil.which(name, path=str(TOOLS))
    if path is not None:
        return path
    missing = f"there is no {name}: `make chart-tools` fetches it"
    if "chart" in os.environ.get("ATRIUM_REQUIRE", "").replace(";", ",").split(","):
        pytest.fail(f"ATRIUM_REQUIRE names chart, and {missing}")
    pytest.skip(missing)
