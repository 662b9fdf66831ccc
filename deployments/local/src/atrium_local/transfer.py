"""One file over HTTP that continues where a broken download stopped."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx

from atrium_local.errors import explain_os_error

Progress = Callable[[int], None]
"""Called with the bytes of the current file that are on disk."""

_TIMEOUT = httpx.Timeout(30, connect=5)
_TRIES_MAX = 5  # without a single new byte in between
_FIRST_PAUSE_S = 0.5
_PARTIAL_CONTENT = 206
_RANGE_NOT_SATISFIABLE = 416
_RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


class SourceFailed(Exception):
    """This source cannot give the file; the next one may."""


def make_client() -> httpx.Client:
    """The client of all downloads; honours SSL_CERT_FILE and the proxy variables."""
    return httpx.Client(
        timeout=_TIMEOUT,
        follow_redirects=True,
        headers={"user-agent": "atrium", "accept-encoding": "identity"},
    )


def download(client: httpx.Client, url: str, target: Path, *, progress: Progress) -> None:
    """Bring all of `url` into `target`, beginning at its present length.

    Raises:
        SourceFailed: the server refuses, or nothing more comes after several tries.
        LocalError: the disk is full or not writable.
    """
    tries = 0
    while True:
        length = _length(target)
        try:
            _continue(client, url, target, progress)
            return
        except httpx.HTTPError as error:
            tries = 1 if _length(target) > length else tries + 1
            if (
                tries >= _TRIES_MAX
                or _refused(error)
                or (length == 0 and isinstance(error, httpx.ConnectError))
            ):
                raise SourceFailed(f"{httpx.URL(url).host}: {_reason(error)}") from error
            time.sleep(_FIRST_PAUSE_S * 2 ** (tries - 1))
        except OSError as error:
            raise explain_os_error(error, target) from error


def _continue(client: httpx.Client, url: str, target: Path, progress: Progress) -> None:
    offset = _length(target)
    headers = {"range": f"bytes={offset}-"} if offset else {}
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == _RANGE_NOT_SATISFIABLE and _is_complete(response, offset):
            return
        if response.status_code == _RANGE_NOT_SATISFIABLE:
            target.unlink()
            raise httpx.ReadError("the part on disk was longer than the file; starting again")
        response.raise_for_status()
        resumed = response.status_code == _PARTIAL_CONTENT and _starts_at(response, offset)
        written = offset if resumed else 0
        with target.open("ab" if resumed else "wb") as file:
            for chunk in response.iter_bytes():
                file.write(chunk)
                written += len(chunk)
                progress(written)


def _length(target: Path) -> int:
    return target.stat().st_size if target.exists() else 0


def _is_complete(response: httpx.Response, offset: int) -> bool:
    """RFC 9110 14.4: a 416 names the size of the file as `bytes */SIZE`."""
    return response.headers.get("content-range", "").strip() == f"bytes */{offset}"


def _starts_at(response: httpx.Response, offset: int) -> bool:
    return response.headers.get("content-range", "").startswith(f"bytes {offset}-")


def _refused(error: httpx.HTTPError) -> bool:
    return isinstance(error, httpx.HTTPStatusError) and error.response.status_code not in _RETRIED_STATUS


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP {error.response.status_code}"
    return str(error) or type(error).__name__
