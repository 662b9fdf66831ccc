"""Which of our own variables a child gets: its settings and what any program needs, never what is another's
or looks like a secret.

`variables.json` beside this file says which settings each service reads; `make generate` writes it.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import cast

SUPERVISOR = "supervisor"
BUILD = "build"  # npm and what it runs
ENGINE = "engine"  # PostgreSQL
MODEL = "model"

_FOR_EVERYBODY = frozenset({"XDG_CACHE_HOME", "ATRIUM_HOME"})
_SECRET = re.compile(
    r"(^|_)(API_?KEYS?|KEYS?|TOKENS?|SECRETS?|PASS|PASSWD|PASSWORDS?|PASSPHRASE|CREDENTIALS?|DSN|PAT)(_|$)",
    re.IGNORECASE,
)
_OF_TOOLS = re.compile(r"^(PIP_|UV_|POETRY_|TWINE_|PG|GH_|GITHUB_|GITLAB_|AWS_|AZURE_)", re.IGNORECASE)
_ALSO: Mapping[str, re.Pattern[str]] = {
    "retrieval-service": re.compile(r"^AWS_"),  # object stores take the machine's own credentials
    BUILD: re.compile(r"^(NPM_|NODE_)", re.IGNORECASE),
}
_NOT_FOR_THE_MODEL = frozenset({"DATABASE_URL", "DATABASE_ADMIN_URL", "SETUP_TOKEN", "JWT_SECRET_KEY"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def passed(environment: Mapping[str, str], *, to: str) -> dict[str, str]:
    """The part of `environment` for a service, by its name, or for one of the others above."""
    own, known = _names_of(to), _all_names()
    also = _ALSO.get(to)
    named = _named_in_file(environment) if to == "agent-service" else frozenset[str]()

    def goes(name: str) -> bool:
        if name in own or name in _FOR_EVERYBODY or name in named or (also is not None and also.search(name)):
            return True
        return name not in known and not _SECRET.search(name) and not _OF_TOOLS.search(name)

    return {name: value for name, value in environment.items() if goes(name)}


def _names_of(reader: str) -> frozenset[str]:
    if reader == MODEL:
        return _table()[SUPERVISOR] - _NOT_FOR_THE_MODEL
    return _table().get(reader, frozenset())


def _all_names() -> frozenset[str]:
    return frozenset[str]().union(*_table().values())


@cache
def _table() -> dict[str, frozenset[str]]:
    raw = cast("dict[str, list[str]]", json.loads(Path(__file__).with_name("variables.json").read_text()))
    return {reader: frozenset(names) for reader, names in raw.items()}


def _named_in_file(environment: Mapping[str, str]) -> frozenset[str]:
    """Variables that the file of MCP servers hands to their programs."""
    try:
        text = Path(environment["MCP_SERVERS_FILE"]).read_text()
    except (KeyError, OSError, ValueError):
        return frozenset()
    return frozenset(_NAME.findall(text))
