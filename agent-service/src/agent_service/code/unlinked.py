"""Files that a run has deleted and still holds open or mapped: they take space, and no walk over its folder
finds them.
"""

import contextlib
import os
import re
from pathlib import Path

from agent_service.code.limits import FILE_BYTES_MAX

_BLOCK_BYTES = 512
# 7f00-7f01 rw-s 00000000 fd:01 1234   /tmp/x (deleted)
_DELETED = re.compile(r"^\S+ \S+ \S+ ([0-9a-f]+):([0-9a-f]+) ([1-9][0-9]*)\s+/.* \(deleted\)$", re.MULTILINE)


def held_bytes(process: int) -> int:
    """Bytes of deleted files that the process still holds. Raises: OSError when it is gone or
    closed to us.
    """
    sizes: dict[tuple[int, int], int] = {}
    for held in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed since it was listed
            status = held.stat()
            if status.st_nlink == 0:
                sizes[status.st_dev, status.st_ino] = status.st_blocks * _BLOCK_BYTES
    for major, minor, inode in _DELETED.findall(Path(f"/proc/{process}/maps").read_text()):
        # Nobody tells how large a file is that is only mapped; it is no larger than any file may be.
        sizes.setdefault((os.makedev(int(major, 16), int(minor, 16)), int(inode)), FILE_BYTES_MAX)
    return sum(sizes.values())
