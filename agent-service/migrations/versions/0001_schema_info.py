"""The schema's own record of which code may use it."""

from shared.migrations import SCHEMA_INFO_SQL, execute_script

revision = "0001"
down_revision = None


def upgrade() -> None:
    execute_script(SCHEMA_INFO_SQL)
