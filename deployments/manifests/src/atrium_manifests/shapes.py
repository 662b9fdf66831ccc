"""What is said about a container, in words that hold for any way to run it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic_settings import BaseSettings

_MARGIN_S = 5


@dataclass(frozen=True, slots=True)
class Port:
    """One TCP port that a process listens on."""

    name: str  # "http", "metrics", ...
    number: int


@dataclass(frozen=True, slots=True)
class ProcessCheck:
    """How to ask a process something: by HTTP, by a command that ends with 0, or by a connection alone."""

    port: int = 0
    path: str = ""
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder the process writes to; everything else in its container is read-only."""

    path: str
    size: str  # "1Gi", at most
    lasting: bool = False  # outlives the process, one for each replica
    memory: bool = False  # no file at all: it counts as memory of the process


@dataclass(frozen=True, slots=True)
class Resources:
    """What a replica is given (cores, memory) and the memory at which it is ended. Cores have no ceiling."""

    cpu: str
    memory: str
    memory_max: str


@dataclass(frozen=True, slots=True)
class Container:
    """One kind of process, and everything about it that a way to run it has to know."""

    name: str  # also the host name by which others reach it
    image: str  # of ours without registry and tag; of others complete
    purpose: str
    resources: Resources
    ports: tuple[Port, ...] = ()
    command: tuple[str, ...] = ()  # empty: the image's own
    arguments: tuple[str, ...] = ()  # for the image's own command
    folder: str = ""  # where the command runs; empty: the image's own
    user: int = 10_001  # numeric id; images of ours work under any id of group 0
    settings: type[BaseSettings] | None = None  # None: a program that is not ours
    config: Mapping[str, str] = field(default_factory=dict[str, str])  # variables that are no secret
    secrets: tuple[str, ...] = ()  # variables that must be given, from the secrets of this container alone
    optional_secrets: tuple[str, ...] = ()  # variables that may be among them
    replica_variable: str = ""  # variable that gets the name of the replica, the same after a restart
    alive: ProcessCheck | None = None  # whether the process works, whatever happened to others
    ready: ProcessCheck | None = None  # whether it can do its work: dependencies, schema
    start_max_s: int = 300  # how long a start may take
    calls: tuple[str, ...] = ()  # services it calls, from shared.arrows
    stores: tuple[str, ...] = ()  # other containers it connects to
    outside: str = ""  # why it calls addresses outside the installation; empty: it does not
    folders: tuple[Folder, ...] = ()
    replicas: int = 1
    replicas_max: int = 1  # up to which it may be scaled by load; as `replicas`: it is not
    owns: bool = False  # each replica keeps something under its own name
    once: bool = False  # it ends when its work is done
    schema: str = ""  # service whose database schema it waits for
    drain_s: int = 0  # seconds what it is answering gets to end, once asked to stop

    @property
    def ours(self) -> bool:
        """Whether its image is built from this tree."""
        return self.image.startswith("atrium-")

    @property
    def stop_max_s(self) -> int:
        """Seconds from the request to stop to the moment when nothing is under way any more.

        A service ends its answers first and then its background tasks, each within `drain_s`.
        """
        return 2 * self.drain_s + 2 * _MARGIN_S

    @property
    def reaches(self) -> tuple[str, ...]:
        """Every other container it opens connections to."""
        return (*self.calls, *self.stores)

    def port(self, name: str = "http") -> int:
        """The number of a port it has."""
        return next(port.number for port in self.ports if port.name == name)
