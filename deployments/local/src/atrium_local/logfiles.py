"""Log files that do not grow for ever. Their writers append and never notice."""

import shutil
from pathlib import Path

_SIZE_MAX_BYTES = 10_000_000
_KEPT = 3


def rotate_all(folder: Path) -> None:
    """Rotate every log below `folder` that grew too large."""
    for path in folder.glob("*.log"):
        if path.stat().st_size > _SIZE_MAX_BYTES:
            rotate(path)


def rotate(path: Path) -> None:
    """Copy the log aside and empty it: its writer holds it open, so it cannot be renamed. Lines of that instant are lost."""
    for number in range(_KEPT, 1, -1):
        older = path.with_name(f"{path.name}.{number - 1}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    with path.open("r+b") as log:
        log.truncate()
