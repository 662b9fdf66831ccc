"""Log files that do not grow for ever. Their writers append and never notice."""

import shutil
from pathlib import Path

_SIZE_MAX_BYTES = 10_000_000
_KEPT = 3


def rotate_all(folder: Path) -> None:
    """Rotate every log below `folder` that grew too large. Raises: OSError of the last one that could not be,
    after all were tried.
    """
    failure: OSError | None = None
    for path in folder.glob("*.log"):
        try:
            if path.stat().st_size > _SIZE_MAX_BYTES:
                rotate(path)
        except OSError as error:
            failure = error
    if failure is not None:
        raise failure


def rotate(path: Path) -> None:
    """Copy the log aside and empty it: its writer holds it open, so it cannot be renamed. Lines of that
    instant are lost.
    """
    for number in range(_KEPT, 1, -1):
        older = path.with_name(f"{path.name}.{number - 1}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number}"))
    copy = path.with_name(f"{path.name}.1")
    try:
        shutil.copyfile(path, copy)
    except OSError:
        copy.unlink(missing_ok=True)  # half a copy would only fill the disk further
        raise
    with path.open("r+b") as log:
        log.truncate()
