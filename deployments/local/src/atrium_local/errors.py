"""What the supervisor cannot do, said in one line that tells the reader what to do."""

import errno
import sys
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError
from shared.settings import explain


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


def exit_status(command: Callable[[], int]) -> int:
    """Run a command; a problem the reader can act on is one line on standard error."""
    try:
        return command()
    except ValidationError as error:
        print(f"Atrium cannot start: {explain(error)}", file=sys.stderr)
        return 2
    except LocalError as error:
        print(error, file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return 130
