"""The whole platform as `make run` starts it, in a folder of its own, on free ports, with short lives and
generous limits.
"""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import mcp_servers
from atrium_local.processes import ProcessIdentity
from atrium_local.stack import SUPERVISOR
from atrium_local.stack import Stack as LocalStack
from shared.auth.principal import Principal
from shared.auth.tokens import USER_KEY_ID, ServiceTokens, UserTokens

from suite.ledger import Ledger
from suite.provider import Provider
from suite.waiting import until

__all__ = ["HOLD_TTL_S", "SUPERVISOR", "Ledger", "Stack"]

HOLD_TTL_S = 3.0
TURN_LEASE_S = 2.0
MODEL_ID = "qwen2.5-coder-0.5b-instruct"
UNPRICED_MODEL = "fake-length"
BACK_S = 120
_PARENT_FIELD = 1  # of /proc/PID/stat after the program's name
_SESSION_FIELD = 3  # each process of the stack leads a session
BODY_BYTES_MAX = 2 * 1024 * 1024

PROVIDER_KEYS = ("provider-secret-one", "provider-secret-two")

_SETTINGS = {
    "ACCESS_TOKEN_TTL_S": "3600",
    "REFRESH_GRACE_S": "1",
    "PASSWORD_HASH_TIME_COST": "1",
    "PASSWORD_HASH_MEMORY_KIB": "1024",
    "SIGNIN_LIMIT": "10000/minute",
    "SIGNIN_ACCOUNT_LIMIT": "1000/minute",
    "SIGNUP_LIMIT": "10000/minute",
    "SIGNUP_DEFAULT_ROLE": "user",
    "REFRESH_LIMIT": "10000/minute",
    "USER_RPM": "100000",
    "KEY_RPM": "100000",
    "ORGANISATION_RPM": "1000000",
    "STARTING_GRANT": "100.00",
    "DEFAULT_USER_BUDGETS_MAX": "off",  # more people than any ceiling is meant for
    "HOLD_TTL_S": str(HOLD_TTL_S),
    "TURN_LEASE_S": str(TURN_LEASE_S),
    "REAPER_INTERVAL_S": "0.5",
    "COST_INTERVAL_S": "0.5",
    "STOP_COST_WAIT_S": "2",
    "FIRST_TOKEN_TIMEOUT_S": "8",
    "ANSWER_TIMEOUT_S": "8",
    "TOKEN_TIMEOUT_S": "4",
    "MODEL_WAIT_MAX_S": "90",
    "BILLING_TIMEOUT_S": "2",
    "DISCOVERY_INTERVAL_S": "5",
    "DRAIN_TIMEOUT_S": "3",
    "REQUEST_BODY_MAX_BYTES": str(BODY_BYTES_MAX),
}


class Stack(LocalStack):
    """One installation under its supervisor, and the scripted providers behind it."""

    model_id = MODEL_ID
    unpriced_model = UNPRICED_MODEL
    body_bytes_max = BODY_BYTES_MAX

    def __init__(self, home: Path) -> None:
        self.provider = Provider()
        self.other_provider = Provider()  # for tests that take a provider down
        providers = {
            "OPENAI_API_BASE_URLS": f"{self.provider.base_url};{self.other_provider.base_url}",
            "OPENAI_API_KEYS": ";".join(PROVIDER_KEYS),
        }
        home.parent.mkdir(parents=True, exist_ok=True)
        servers = mcp_servers.servers_file(
            home.parent / "mcp-servers.yaml",
            {"time": mcp_servers.time_command()},
            access={"roles": ["user"]},
            approval="never",
        )
        super().__init__(
            home, model=MODEL_ID, env={**_SETTINGS, **providers, "MCP_SERVERS_FILE": str(servers)}
        )

    @property
    def gateway_url(self) -> str:
        return self.base_url

    @property
    def ledger(self) -> Ledger:
        """The ledger, read as the administrator of the database."""
        password = self._secrets()["postgres_password"]
        return Ledger(f"postgresql://postgres:{password}@127.0.0.1:{self.ports['postgres']}/atrium")

    def _secrets(self) -> dict[str, str]:
        secrets: dict[str, str] = json.loads(self.home.secrets.read_text())
        return secrets

    # Tokens, made with the installation's own keys

    def user_headers(self, principal: Principal) -> dict[str, str]:
        """Headers of a person, also of one the gateway has never seen."""
        signer = UserTokens(signing_key_pem=self._secrets()[f"signing_key.{USER_KEY_ID}"])
        return {"authorization": f"Bearer {signer.sign(principal)}"}

    def service_tokens(self, service: str) -> ServiceTokens:
        """The signer that `service` has."""
        return ServiceTokens(signing_key_pem=self._secrets()[f"signing_key.{service}"], service=service)

    # What runs

    def model_sampling(self) -> dict[str, Any]:
        """How the model server draws tokens when nobody says."""
        headers = {"authorization": f"Bearer {self._secrets()['local_model_api_key']}"}
        answer = httpx.get(
            f"{self.url('model-server')}/props", headers=headers, timeout=10, trust_env=False
        ).raise_for_status()
        return answer.json()["default_generation_settings"]["params"]

    def identities(self) -> dict[str, ProcessIdentity]:
        """Every process that runs now, by name, without the supervisor."""
        state = self._state()
        assert state is not None
        return {
            process.name: process.identity
            for process in state.processes
            if process.identity and process.identity.alive()
        }

    def wait_back(self, name: str, killed_pid: int) -> None:
        """Returns once another process has taken the place of the killed one and is ready."""
        self.wait_ready(name, not_pid=killed_pid, timeout_s=BACK_S)

    @contextlib.contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Every process of `name` stands still and nobody puts another in its place; after the block they are
        killed and replaced.

        The supervisor stands still first: it may be about to start a successor, and the process before the
        last may still answer.
        """
        supervisor_pid = self.pids()[SUPERVISOR]
        os.kill(supervisor_pid, signal.SIGSTOP)
        pids = _children_in(supervisor_pid, folder=name)
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            os.kill(supervisor_pid, signal.SIGCONT)

    def all_ready(self) -> bool:
        """Whether every service says that it can work."""
        return all(
            self.answers(service) for service in self.ports if service not in {"postgres", "model-server"}
        )

    def wait_all_ready(self) -> None:
        """Returns once every service can work."""
        until(self.all_ready, within_s=BACK_S, what="every service to be ready", every_s=0.2)

    def answers(self, service: str, path: str = "/readyz") -> bool:
        """Whether the service says that it can work."""
        try:
            return httpx.get(self.url(service) + path, timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def memory_pss_bytes(self) -> dict[str, int]:
        """Proportional set size of each process that runs now, its own children (workers, database
        connections) included.
        """
        roots = {identity.pid: name for name, identity in self.identities().items()}
        sizes = dict.fromkeys(roots.values(), 0)
        for status in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError, StopIteration):  # it ended while we looked
                session = _stat_field(status, _SESSION_FIELD)
                if session in roots:
                    sizes[roots[session]] += _pss_bytes(status.parent)
        return sizes


def _stat_field(status: Path, field: int) -> int:
    return int(status.read_text().rpartition(")")[2].split()[field])


def _children_in(parent_pid: int, *, folder: str) -> list[int]:
    """Children of a process that work in a folder of this name, as each service does."""
    found: list[int] = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended while we looked
            if (
                _stat_field(status, _PARENT_FIELD) == parent_pid
                and (status.parent / "cwd").readlink().name == folder
            ):
                found.append(int(status.parent.name))
    return found


def _pss_bytes(process: Path) -> int:
    lines = (process / "smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def set_prices(http: httpx.Client, models: dict[str, Any]) -> None:
    """Administrator's prices in nano-USD per million tokens: {model: (input, output)}."""
    for model, (input_nano, output_nano) in models.items():
        body = {"model": model, "input_nano_per_mtok": input_nano, "output_nano_per_mtok": output_nano}
        answer = http.put("/api/v1/billing/prices", json=body)
        assert answer.status_code in {200, 201}, answer.text
