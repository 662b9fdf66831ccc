"""The users that code runs under where the service is root: some of the machine's, for this process alone.

The system counts the threads of a user, whichever process started them. Two services with the same users
would take each other's threads, and a run of one could send signals to a run of the other.
"""

import logging
import random
import socket

log = logging.getLogger(__name__)

USERS = 184
"""From 61000 on, Linux distributions give so many ids to nobody (systemd.io/UIDS-GIDS)."""


class SandboxUsers:
    """`uids`: `count` users, claimed among the `USERS` ids from `first` on.

    A claim is the name of a socket: the system frees it with the process, and all processes of a network see
    it. Containers do not see each other's claims: that is why the search begins anywhere.
    """

    def __init__(self, first: int, count: int) -> None:
        self._claims: list[socket.socket] = []
        free: list[int] = []
        taken: list[int] = []
        known = range(first, first + max(USERS, count))
        for uid in random.sample(known, len(known)):
            if len(free) == count:
                break
            (free if self._claim(uid) else taken).append(uid)
        if len(free) < count:
            log.warning("all users of the sandbox are taken: this service shares those of another")
        self.uids = (free + taken)[:count]

    def close(self) -> None:
        """Give the users back."""
        for claim in self._claims:
            claim.close()
        self._claims.clear()

    def _claim(self, uid: int) -> bool:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0atrium-code-user-{uid}")
        except OSError:
            claim.close()
            return False
        self._claims.append(claim)
        return True
