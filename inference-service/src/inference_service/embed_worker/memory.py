"""Gives memory back to the system, which other processes of a small machine need."""

import ctypes
from collections.abc import Callable
from typing import Any, cast


def _malloc_trim() -> Callable[[int], int] | None:
    """glibc's; None where the C library has none (musl, macOS)."""
    try:
        found = cast("Any", ctypes.CDLL(None)).malloc_trim
    except (AttributeError, OSError):
        return None
    return cast("Callable[[int], int]", found)


_trim = _malloc_trim()


def give_back() -> None:
    """Return what was freed: after a large batch the C library keeps a good 150 MB of activations for the
    next one.
    """
    if _trim is not None:
        _trim(0)
