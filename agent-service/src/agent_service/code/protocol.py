"""What the service and its zygote say to each other: one JSON object a message over a socket that keeps
messages whole.
"""

from dataclasses import asdict, dataclass
from typing import Any

MESSAGE_BYTES_MAX = 16_384
CONFINED = b"confined"
"""What a run says through its last pipe, which it closes before the person's code begins: what comes later is
not its word.
"""


@dataclass(frozen=True, slots=True)
class Start:
    """The zygote's only argument: its end of the socket, a folder for caches, and the folder of all work
    folders.

    `base` holds `root` (empty), `canary` and `probe`; `uid_first` is set for root.
    """

    control: int
    base: str
    cache: str
    uid_first: int | None
    libraries: bool
    own_tree: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Job:
    """One run, handed over as an open file beside the descriptors of stdout, stderr, the report and the word
    that it is confined.
    """

    code: str
    work: str
    uid: int | None
    memory_bytes: int
    cpu_s: int
    file_bytes: int
    descriptors: int
    threads: int | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
