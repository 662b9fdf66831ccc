"""How an ingestion ends before its time."""


class IngestionFailed(Exception):
    """`code` and `detail` are shown to the file's owner."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Unwanted(Exception):
    """The file was deleted, is to be cancelled, or is tried again: what this attempt wrote must go."""
