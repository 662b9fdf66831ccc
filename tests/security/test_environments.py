"""What the running processes hold in their environment, as the kernel shows it."""

import sys
from pathlib import Path

import pytest
from suite.stack import PROVIDER_KEYS, Stack

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")]


def test_the_secrets_of_one_service_are_in_no_other_process(stack: Stack) -> None:
    found = {
        name: Path(f"/proc/{identity.pid}/environ").read_bytes().split(b"\0")
        for name, identity in stack.identities().items()
    }
    assert {"gateway", "inference-service", "postgres"} <= found.keys()
    holders = {
        name
        for name, variables in found.items()
        for each in variables
        for key in PROVIDER_KEYS
        if key.encode() in each
    }
    assert holders == {"inference-service"}
    assert {
        name for name, variables in found.items() for each in variables if each.startswith(b"SETUP_TOKEN=")
    } <= {"gateway"}
    for name, variables in found.items():
        assert not [
            each for each in variables if each.startswith((b"SERVICE_SIGNING_KEY=", b"USER_SIGNING_KEY="))
        ], name
