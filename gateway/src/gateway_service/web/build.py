"""The files of the built web client, listed from the folder and answered from that closed list."""

import mimetypes
from dataclasses import dataclass, field
from pathlib import Path

_COMPRESSED = {".br": "br", ".gz": "gzip"}
_IMMUTABLE_FOLDER = "_app/immutable/"
IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file; `variants` maps a content coding to its precompressed file."""

    path: Path
    media_type: str
    cache_control: str
    variants: dict[str, Path] = field(default_factory=dict[str, Path])

    def choose(self, accept_encoding: str) -> tuple[Path, str | None]:
        """The smallest file this client takes, and its content coding."""
        accepted = accepted_codings(accept_encoding)
        for coding in ("br", "gzip"):
            if coding in accepted and coding in self.variants:
                return self.variants[coding], coding
        return self.path, None


def accepted_codings(accept_encoding: str) -> set[str]:
    """Codings named with a quality above zero (RFC 9110 section 12.5.3)."""
    accepted: set[str] = set()
    for part in accept_encoding.lower().split(","):
        coding, _, parameters = part.strip().partition(";")
        quality = parameters.replace(" ", "").removeprefix("q=") if parameters else "1"
        if quality.strip("0.") or not parameters:
            accepted.add(coding.strip())
    return accepted


@dataclass(frozen=True, slots=True)
class WebBuild:
    """The client as found when it was read. `index` None: it was not built."""

    assets: dict[str, Asset]
    index: str | None


def read_build(folder: Path) -> WebBuild:
    """Lists the files under `folder`; what is not listed is not served, so no path of a request ever reaches the disk."""
    index = folder / "index.html"
    if not index.is_file():
        return WebBuild({}, None)
    root = folder.resolve()
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file() and path.resolve().is_relative_to(root)}
    assets = {name: _asset(name, path, files) for name, path in files.items() if not _is_variant(name, files)}
    return WebBuild(assets, index.read_text(encoding="utf-8"))


class LiveBuild:
    """The client as it is now: read again when its page was replaced, so that a rebuild needs no restart of the gateway."""

    def __init__(self, folder: Path) -> None:
        self._index = folder / "index.html"
        self._folder = folder
        self._stamp = self._seen()
        self._build = read_build(folder)

    def current(self) -> WebBuild:
        """One stat; the last good one while a new one is being written."""
        stamp = self._seen()
        if stamp is not None and stamp != self._stamp:
            self._build, self._stamp = read_build(self._folder), stamp
        return self._build

    def _seen(self) -> int | None:
        try:
            return self._index.stat().st_mtime_ns
        except OSError:
            return None


def _is_variant(name: str, files: dict[str, Path]) -> bool:
    return any(name.endswith(suffix) and name.removesuffix(suffix) in files for suffix in _COMPRESSED)


def _asset(name: str, path: Path, files: dict[str, Path]) -> Asset:
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if name.endswith(".webmanifest"):
        media_type = "application/manifest+json"
    if media_type.startswith("text/") or media_type in {"application/javascript", "application/json"}:
        media_type += "; charset=utf-8"
    variants = {coding: files[name + suffix] for suffix, coding in _COMPRESSED.items() if name + suffix in files}
    return Asset(path, media_type, IMMUTABLE if name.startswith(_IMMUTABLE_FOLDER) else REVALIDATE, variants)
