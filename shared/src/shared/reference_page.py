"""The API reference as one plain page: no script, no font and nothing from another site, so it also works
offline.
"""

import json
from html import escape
from typing import Any

_STYLE = """
:root{color-scheme:light dark;font-family:system-ui,sans-serif;line-height:1.5}
body{max-width:60rem;margin:2rem auto;padding:0 1rem}
h2{margin-top:2rem;text-transform:capitalize}
summary{cursor:pointer;padding:.3rem 0}
code{font-family:ui-monospace,monospace}
pre{overflow:auto;padding:.75rem;border:1px solid #8886;border-radius:.4rem;font-size:.85rem}
.method{display:inline-block;min-width:4.5rem;font-weight:600}
"""
_METHODS = ("get", "post", "put", "patch", "delete")


CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors "
    "'none'"
)
"""The page has its own styles inline and nothing else."""


def render(document: dict[str, Any], *, title: str, document_url: str) -> str:
    """HTML that lists every operation by tag, each with its parameters, body and answers to unfold."""
    groups: dict[str, list[str]] = {}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                operation: dict[str, Any] = item[method]
                tag = str((operation.get("tags") or [_area(path)])[0])
                groups.setdefault(tag, []).append(_operation(method, path, operation))
    missing = ", ".join(document.get("x-atrium-missing", []))
    notice = f"<p role=status>Not answering now, so not listed: {escape(missing)}.</p>" if missing else ""
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(entries)}" for tag, entries in sorted(groups.items()))
    schemas = escape(json.dumps(document["components"].get("schemas", {}), indent=1))
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>"
        f"<p>The same as a file for tools: <a href={document_url}>openapi.json</a></p>"
        f"{notice}{body}<h2>Schemas</h2><details><summary>All "
        f"schemas</summary><pre>{schemas}</pre></details></html>"
    )


def _area(path: str) -> str:
    parts = path.strip("/").split("/")
    return parts[2] if parts[0] == "api" and len(parts) > 2 else parts[0]


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    shown = {
        name: operation[name]
        for name in ("description", "parameters", "requestBody", "responses")
        if name in operation
    }
    details = escape(json.dumps(shown, indent=1))
    summary = escape(str(operation.get("summary", "")))
    return (
        f"<details><summary><code><span class=method>{method.upper()}</span> {escape(path)}</code> "
        f"{summary}</summary>"
        f"<pre>{details}</pre></details>"
    )
