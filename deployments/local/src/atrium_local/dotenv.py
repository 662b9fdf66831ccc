"""Files of NAME=value lines, as python-dotenv and Docker Compose read them."""

import re
from collections.abc import Mapping
from pathlib import Path

_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$")
_ESCAPED = re.compile(r"\\(.)")


def read_dotenv(path: Path) -> dict[str, str]:
    """The values of a file by their names, without the quotes around them. Empty without the file."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    found = (_LINE.match(line) for line in lines if not line.lstrip().startswith("#"))
    return {match[1]: _unquoted(match[2]) for match in found if match}


def render_dotenv(values: Mapping[str, str]) -> str:
    """The text of such a file."""
    return "".join(f"{name}={_quoted(value)}\n" for name, value in values.items())


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] != value[-1] or value[0] not in "'\"":
        return value
    inner = value[1:-1]
    return inner if value[0] == "'" else _ESCAPED.sub(_unescaped, inner)


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1] if match[1] in '\\"' else match[0]


def _quoted(value: str) -> str:
    """Single quotes where the value allows it; else double ones, in which a line break is \\n."""
    if "'" not in value and "\n" not in value and "\\" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
