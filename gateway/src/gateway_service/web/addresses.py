"""What to tell a program that asks for an address which is not there.

People get the client's page; a program that gets a page of HTML reports "invalid JSON" and sends its user on a wrong track.
"""

import re
from collections.abc import Sequence

from fastapi import Request
from fastapi.routing import iter_route_contexts
from shared.errors import AppError, NotFound
from starlette.routing import BaseRoute, compile_path

_API_PREFIXES = ("api/", "v1/", "internal/")
_CATCH_ALL = "/{path:path}"
_API_ROOTS = frozenset({"api", "v1", "internal", "metrics"})

_BASE = "the base URL of the OpenAI-compatible API ends in /v1: ask for {base}/v1"
_ANTHROPIC = "the Messages API of Anthropic is not offered here; use the OpenAI-compatible {base}/v1/chat/completions"
_GEMINI = "the Gemini API is not offered here; use the OpenAI-compatible {base}/v1"
_OLLAMA = "Ollama's own API is not offered here; use the OpenAI-compatible {base}/v1"
_LITELLM = (
    "LiteLLM's management API is not offered here; keys: {base}/api/v1/auth/api-keys, people: {base}/api/v1/admin/users, "
    "usage: {base}/api/v1/billing/usage, models: {base}/v1/models"
)
_WEB_UI = "Open WebUI's own API is not offered here; use the OpenAI-compatible {base}/v1"

_OPENAI_WORDS = "models|chat/completions|completions|embeddings|responses|moderations|rerank|audio|images|files|batches|fine_tuning"
# Matched in this order against the path without its first slash.
_KNOWN = tuple(
    (re.compile(pattern + r"(?:/|$)"), text)
    for pattern, text in (
        (rf"(?:openai(?:/v1)?|api/v1/openai|v1/v1|api/openai(?:/v1)?)(?:/(?:{_OPENAI_WORDS}))?", _BASE),
        (r"openai/deployments", _BASE),
        (r"v1beta", _GEMINI),
        (r"(?:anthropic/)?(?:v1/)?messages|anthropic", _ANTHROPIC),
        (r"api/(?:tags|generate|show|pull|push|ps|version|embed|embeddings|chat)(?=$)", _OLLAMA),
        (r"ollama", _OLLAMA),
        (r"api/(?:chat/completions|models|v1/(?:models|chat/completions|completions|embeddings))", _BASE),
        (r"api/v1/(?:auths|users|configs|folders|tools|functions|prompts|knowledge)", _WEB_UI),
        (r"(?:key|user|team|organization|customer|budget|spend|model|global|credentials|config)/(?:\w+)", _LITELLM),
        (r"(?:model_group/info|health/(?:readiness|liveliness|liveness))", _LITELLM),
        (_OPENAI_WORDS, _BASE),
    )
)


class NotOffered(AppError):
    """A known address of another product; the detail names what serves the same here."""

    status, code, title = 404, "not_offered", "Not offered"


class MethodNotAllowed(AppError):
    """The address is there, and answers to other methods."""

    status, code, title = 405, "method_not_allowed", "Method not allowed"


def is_page_address(path: str) -> bool:
    """Whether a person may have this in the address bar: no API path and no file name."""
    if path in _API_ROOTS or path.startswith(_API_PREFIXES):
        return False
    return path == "index.html" or "." not in path.rpartition("/")[2]


def wants_page(request: Request, path: str) -> bool:
    """Whether a person's browser asks, going by what it accepts, or a program that would take anything asks for what is a page."""
    accept = request.headers.get("accept", "")
    if "text/html" in accept:
        return is_page_address(path)
    if "json" in accept or {"authorization", "x-api-key"} & set(request.headers):
        return path == ""
    return is_page_address(path) and _offered_instead(path) is None


def missing(request: Request, path: str, *, base: str) -> AppError:
    """What is wrong with an address or method that nothing serves. `base`: the public address of this installation."""
    methods = _methods_of(request.app.routes, request.url.path)
    if methods:
        allowed = ", ".join(sorted(methods))
        return MethodNotAllowed(f"{request.method} is not possible here; {allowed} is", headers={"Allow": allowed})
    text = _offered_instead(path)
    if text is not None:
        return NotOffered(text.format(base=base))
    return NotFound("there is nothing at this address; /docs lists what there is")


def _offered_instead(path: str) -> str | None:
    bare = path.strip("/")
    return next((text for pattern, text in _KNOWN if pattern.match(bare)), None)


def _methods_of(routes: Sequence[BaseRoute], path: str) -> set[str]:
    """Methods that the gateway's own routes answer at this address, without the catch-all."""
    found: set[str] = set()
    for route in iter_route_contexts(routes):
        if route.path != _CATCH_ALL and compile_path(str(route.path))[0].match(path):
            found |= set(route.methods or ())
    return found
