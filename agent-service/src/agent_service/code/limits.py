"""What one run of code may take, and how many there are at a time."""

from dataclasses import dataclass
from pathlib import Path

INPUT_FILES_MAX = 16
INPUT_BYTES_MAX = 10 * 1024 * 1024
OUTPUT_FILES_MAX = 16
OUTPUT_FILES_BYTES_MAX = 10 * 1024 * 1024
BODY_BYTES_MAX = 16 * 1024 * 1024
"""Largest request: the files as base64, and the code."""

FILE_BYTES_MAX = 16 * 1024 * 1024
DESCRIPTORS_MAX = 64
THREADS_MAX = 64
ENTRIES_MAX = 2_000
DEPTH_MAX = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeLimits:
    """The operator's part of the limits; the settings page describes each."""

    cache_dir: Path
    enabled: bool = True
    libraries: bool = (
        True  # False: a sandbox that starts at once, without numpy, pandas and matplotlib loaded
    )
    concurrency: int = 2
    waiting_max: int = 16
    waiting_per_user_max: int = 4
    wait_max_s: float = 60
    memory_bytes_max: int = 1024 * 1024 * 1024
    timeout_s: float = 30
    output_bytes_max: int = 1024 * 1024
    disk_bytes_max: int = 64 * 1024 * 1024
    disk_free_bytes_min: int = 256 * 1024 * 1024
    idle_s: float = 600
    # True: the warm process is there soon after the start and stays; idle_s then counts for nothing.
    keep_warm: bool = False
    warm_after_s: float = 20
    uid_first: int | None = 61_000  # see users.py; None: code runs under the service's own user, be it root
    own_tree: bool = (
        True  # False: as where the system lets a plain user make no file tree; only with uid_first None
    )
