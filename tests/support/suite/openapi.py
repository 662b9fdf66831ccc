"""Whether one OpenAPI document only adds to another: old clients must go on working against the new one."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

Direction = Literal["request", "response"]
Document = Mapping[str, Any]
METHODS = ("get", "put", "post", "delete", "patch")


def breaking_changes(old: Document, new: Document) -> list[str]:
    """What a client written for `old` would trip over in `new`, one line each; empty when `new` only adds."""
    comparison = _Comparison(old, new)
    found: list[str] = []
    for path, item in old.get("paths", {}).items():
        for method in METHODS:
            if method not in item:
                continue
            where = f"{method.upper()} {path}"
            replacement = new.get("paths", {}).get(path, {}).get(method)
            if replacement is None:
                found.append(f"{where} is gone")
            else:
                found.extend(comparison.operation(item[method], replacement, where))
    return found


class _Comparison:
    """Two documents side by side; remembers which pairs of named schemas it has compared."""

    def __init__(self, old: Document, new: Document) -> None:
        self._old, self._new = old, new
        self._compared: set[tuple[str, str, Direction]] = set()

    def operation(self, old: Document, new: Document, where: str) -> Iterator[str]:
        yield from self._parameters(old, new, where)
        old_body, new_body = _content(old.get("requestBody")), _content(new.get("requestBody"))
        if new.get("requestBody", {}).get("required") and not old.get("requestBody", {}).get("required"):
            yield f"{where}: a body is required now"
        for kind, schema in old_body.items():
            if kind not in new_body:
                yield f"{where}: no longer takes {kind}"
            else:
                yield from self.schema(schema, new_body[kind], where=f"{where} body", direction="request")
        for status, answer in old.get("responses", {}).items():
            if status not in new.get("responses", {}):
                yield f"{where}: no longer answers {status}"
                continue
            for kind, schema in _content(answer).items():
                other = _content(new["responses"][status]).get(kind)
                if other is None:
                    yield f"{where}: {status} is no longer {kind}"
                else:
                    yield from self.schema(schema, other, where=f"{where} {status}", direction="response")

    def _parameters(self, old: Document, new: Document, where: str) -> Iterator[str]:
        before = {(each["in"], each["name"]): each for each in old.get("parameters", [])}
        after = {(each["in"], each["name"]): each for each in new.get("parameters", [])}
        for key, each in before.items():
            if key not in after:
                yield f"{where}: the {key[0]} parameter {key[1]} is gone"
            else:
                label = f"{where} {key[1]}"
                yield from self.schema(
                    each.get("schema", {}), after[key].get("schema", {}), where=label, direction="request"
                )
        for key, each in after.items():
            if each.get("required") and not before.get(key, {}).get("required"):
                yield f"{where}: the {key[0]} parameter {key[1]} is required now"

    def schema(self, old: Document, new: Document, *, where: str, direction: Direction) -> Iterator[str]:
        pair = (old.get("$ref", ""), new.get("$ref", ""), direction)
        if all(pair):
            if pair in self._compared:
                return
            self._compared.add(pair)
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        if not new or not old:  # an empty schema takes anything
            return
        if variants := _variants(old):
            yield from self._variants(variants, _variants(new) or [new], where, direction)
            return
        if _variants(new):
            yield from self._variants([old], _variants(new), where, direction)
            return
        yield from self._plain(old, new, where, direction)

    def _variants(
        self, old: list[Document], new: list[Document], where: str, direction: Direction
    ) -> Iterator[str]:
        for variant in old:
            if not any(self._fits(variant, candidate, direction) for candidate in new):
                yield f"{where}: a variant is gone ({variant.get('$ref') or variant.get('type')})"

    def _fits(self, old: Document, new: Document, direction: Direction) -> bool:
        fresh = _Comparison(self._old, self._new)
        fresh._compared = set(self._compared)
        return not list(fresh.schema(old, new, where="", direction=direction))

    def _plain(self, old: Document, new: Document, where: str, direction: Direction) -> Iterator[str]:
        if old.get("type") != new.get("type") and "type" in new:
            yield f"{where}: {old.get('type')} became {new.get('type')}"
            return
        missing = set(_values(old)) - set(_values(new)) if _values(new) and direction == "request" else set()
        if missing:
            yield f"{where}: no longer takes {sorted(map(str, missing))}"
        properties, others = old.get("properties", {}), new.get("properties", {})
        for name, schema in properties.items():
            if name not in others:
                yield f"{where}: {name} is gone"
            else:
                yield from self.schema(schema, others[name], where=f"{where}.{name}", direction=direction)
        if direction == "request":
            for name in set(new.get("required", [])) - set(old.get("required", [])):
                yield f"{where}: {name} is required now"
        else:
            for name in set(old.get("required", [])) - set(new.get("required", [])):
                yield f"{where}: {name} may be absent now"
        if "items" in old and "items" in new:
            yield from self.schema(old["items"], new["items"], where=f"{where}[]", direction=direction)


def _content(holder: Document | None) -> dict[str, Document]:
    return {kind: entry.get("schema", {}) for kind, entry in (holder or {}).get("content", {}).items()}


def _variants(schema: Document) -> list[Document]:
    variants: list[Document] = list(schema.get("anyOf") or schema.get("oneOf") or [])
    return variants


def _values(schema: Document) -> list[Any]:
    return list(schema.get("enum") or ([schema["const"]] if "const" in schema else []))


def _resolved(document: Document, schema: Document) -> Document:
    while "$ref" in schema:
        target: Any = document
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[part]
        schema = target
    return schema
