"""An end for the record of acts, which the service itself cannot change: a function, which is a file today."""

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Nothing: shared.migrations makes the functions."""
