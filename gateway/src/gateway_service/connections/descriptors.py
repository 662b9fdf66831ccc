"""The number of files and connections that the operating system allows this process."""

import resource

_ENOUGH = 65_536


def raise_limit() -> int:
    """Raises the soft limit to the hard one, at most to 65,536. Returns what holds now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):  # macOS names a hard limit that it does not grant
            return soft
    return current_limit()


def current_limit() -> int:
    """File descriptors this process may have open."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _ENOUGH if soft == resource.RLIM_INFINITY else soft
