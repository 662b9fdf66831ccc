"""What the supervisor cannot do, said in one line that tells the reader what to do."""

import errno
from pathlib import Path


class LocalError(Exception):
    """A problem the reader can act on; printed as one line without a traceback. `status`: how the command
    ends.
    """

    status = 1


class WrongSettingsError(LocalError):
    """A setting cannot work: nothing is tried again before somebody changes it."""

    status = 2


def explain_os_error(error: OSError, path: Path) -> LocalError:
    """The one line for a failed write below `path`; a full disk is named as such."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return LocalError(
            f"The disk that holds {path} is full: free space there, or put ATRIUM_HOME or XDG_CACHE_HOME "
            "elsewhere."
        )
    return LocalError(f"Cannot write {path}: {error.strerror or error}.")
