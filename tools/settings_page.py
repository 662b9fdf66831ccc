"""The settings page and .env.example, from the settings classes themselves."""

import types
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings
from shared.settings import ServiceSettings

_HEAD = """# Settings

Every setting is an environment variable. A service reads its process environment first, then
`$ATRIUM_HOME/env/<service>.env`, which `make run` and `make deps` write at each start; put values of your
own into `$ATRIUM_HOME/env/<service>.local.env`, which is never overwritten. Lists are
separated by semicolons.

This page is written by `make generate`.
"""

_CONNECTIONS = """
## Database connections

The embedded PostgreSQL takes 200 connections. Each process of a service keeps at most `DATABASE_POOL_MAX` (5)
in its engine; billing and chat add a raw pool of up to 10 for hot statements, and each process may hold one
for NOTIFY. Six services with one process each stay below 60. With replicas:
processes x (pool + raw pool + 1) < max_connections - 10.
"""


def variable_names(settings: type[BaseSettings]) -> list[str]:
    """Every variable the class reads."""
    return sorted(
        {
            variable
            for name, field in settings.model_fields.items()
            for variable in _variable_names(name, field)
        }
    )


def render_page(classes: Iterable[tuple[str, type[BaseSettings]]]) -> str:
    """The whole page; `classes` are (heading, class), those of services without the fields all of
    them share.
    """
    parts = [_HEAD, _section("Every service", ServiceSettings, shared=frozenset())]
    common = frozenset(ServiceSettings.model_fields)
    for heading, settings in classes:
        shared = common if issubclass(settings, ServiceSettings) else frozenset[str]()
        parts.append(_section(heading, settings, shared=shared))
    return "\n".join([*parts, _CONNECTIONS.strip(), ""])


def render_example(classes: Iterable[tuple[str, type[BaseSettings]]]) -> str:
    """A .env.example: everything commented out, so that copying it changes nothing."""
    lines = ["# Every setting with its default, written by `make generate`; docs/settings.md explains them."]
    seen: set[str] = set()
    for heading, settings in [("every service", ServiceSettings), *classes]:
        fresh = [row for row in _rows(settings) if row.name not in seen]
        if not fresh:
            continue
        lines += ["", f"# --- {heading}"]
        for row in fresh:
            seen.add(row.name)
            lines.append(f"# {row.name}={row.example}")
    return "\n".join([*lines, ""])


class _Row:
    def __init__(self, name: str, field: FieldInfo) -> None:
        self.names = _variable_names(name, field)
        self.name = self.names[0]
        self.type = _type_name(field.annotation)
        self.default = _default(field)
        self.meaning = field.description or ""

    @property
    def example(self) -> str:
        return "" if self.default in {"required", "unset", "computed"} else self.default

    def markdown(self) -> str:
        names = " or ".join(f"`{name}`" for name in self.names)
        default = self.default if self.default in {"required", "unset", "computed"} else f"`{self.default}`"
        return f"| {names} | {self.type} | {default} | {self.meaning} |".replace("``", "empty")


def _section(heading: str, settings: type[BaseSettings], *, shared: frozenset[str]) -> str:
    rows = list(_rows(settings, without=shared))
    changed = [
        name
        for name in shared & {"port"}
        if settings.model_fields[name].default != ServiceSettings.model_fields[name].default
    ]
    rows = [_Row(name, settings.model_fields[name]) for name in changed] + rows
    table = [
        f"\n## {heading}\n",
        "| variable | type | default | meaning |",
        "|---|---|---|---|",
        *(row.markdown() for row in rows),
    ]
    return "\n".join([*table, ""])


def _rows(settings: type[BaseSettings], without: frozenset[str] = frozenset()) -> Iterator[_Row]:
    for name, field in settings.model_fields.items():
        if name not in without:
            yield _Row(name, field)


def _variable_names(name: str, field: FieldInfo) -> list[str]:
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return [str(choice) for choice in alias.choices if str(choice).isupper()]
    return [alias.upper() if isinstance(alias, str) else name.upper()]


def _type_name(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type_name(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return " or ".join(_type_name(option) for option in get_args(annotation) if option is not type(None))
    if origin is Literal:
        return " or ".join(f"`{option}`" for option in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return " or ".join(f"`{member.value}`" for member in annotation)
    if origin in {list, tuple, set, frozenset}:
        return "list"
    names = {
        str: "text",
        int: "whole number",
        float: "number",
        bool: "true or false",
        SecretStr: "secret",
        Path: "path",
    }
    return names.get(annotation, getattr(annotation, "__name__", "text"))


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "computed"
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return "unset"
    if isinstance(field.default, SecretStr):
        return "unset"
    if isinstance(field.default, bool):
        return str(field.default).lower()
    if isinstance(field.default, list | tuple | set | frozenset):
        return ";".join(map(str, field.default))
    return str(field.default)
