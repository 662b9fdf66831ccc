"""What a supervisor that was killed left behind, and what nobody waits for any more."""

import signal

from atrium_local.home import Home
from atrium_local.installation import MODEL_SERVER, POSTGRES
from atrium_local.processes import ProcessIdentity, end
from atrium_local.state import read_engines, read_state

_PATIENCE_S = 10.0


def clean(home: Home) -> list[str]:
    """End the processes of a supervisor that is gone; call it holding the lock. Gives their names."""
    state = read_state(home.state)
    if state is None:
        return []
    ended: list[str] = []
    for process in state.processes:
        if process.adopted or process.identity is None or not process.identity.alive():
            continue
        end_process(process.name, process.identity)
        ended.append(process.name)
    home.state.unlink(missing_ok=True)
    if not any(engine.name == MODEL_SERVER for engine in read_engines(home.engines)):
        home.model_status.unlink(missing_ok=True)
    return ended


def end_process(name: str, identity: ProcessIdentity) -> None:
    """Stop one process and its group; PostgreSQL gets the time to write its data down."""
    first = signal.SIGINT if name == POSTGRES else signal.SIGTERM
    end(identity, first=first, patience_s=_PATIENCE_S)
