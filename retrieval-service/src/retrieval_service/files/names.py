"""File names as they are stored: the last part of a path, without what could harm a screen or a header."""

import unicodedata

from retrieval_service.files.errors import FilenameInvalid

FILENAME_BYTES_MAX = 240
_UNSHOWN = frozenset(
    {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
)  # controls, direction overrides, lone surrogates, line separators


def clean_filename(name: str) -> str:
    """The name to store and show; a long one loses its middle, not its extension.

    Raises:
        FilenameInvalid: nothing of it can be shown.
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(char for char in last if unicodedata.category(char) not in _UNSHOWN).strip().strip(".")
    if not shown:
        raise FilenameInvalid("filename: give the file a name, such as report.pdf")
    if len(shown.encode()) <= FILENAME_BYTES_MAX:
        return shown
    stem, suffix = shown[:-16], shown[-16:]
    room = FILENAME_BYTES_MAX - len(suffix.encode())
    return stem.encode()[:room].decode(errors="ignore") + suffix


def extension_of(name: str) -> str:
    """Lower case, without the dot; empty when there is none."""
    stem, dot, extension = name.rpartition(".")
    return extension.lower() if dot and stem else ""
