"""How soon a request has its turn at the built-in model."""

from shared.fair_queue import PRIORITY_HEADER, Priority
from shared.hotroutes import HotRequest

# People's searches come through it, and it alone knows which of its calls somebody waits for.
_TRUSTED = "retrieval-service"


def priority_of(hot: HotRequest) -> Priority:
    """What the retrieval-service says of its call; everybody else waits in the background, however they call
    themselves.
    """
    if hot.principal.service != _TRUSTED:
        return "background"
    asked = next((value for name, value in hot.scope["headers"] if name == PRIORITY_HEADER), b"")
    return "interactive" if asked == b"interactive" else "background"
