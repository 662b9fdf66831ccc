"""What has ended, by when it ended: for the purges. Built while the service works."""

from shared.migrations import create_index_concurrently

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for name, table, definition in (
        ("ix_refresh_token_replaced_at", "refresh_token", "(replaced_at) WHERE replaced_at IS NOT NULL"),
        ("ix_session_revoked_at", "session", "(revoked_at) WHERE revoked_at IS NOT NULL"),
        ("ix_api_key_revoked_at", "api_key", "(revoked_at) WHERE revoked_at IS NOT NULL"),
        ("ix_api_key_expires_at", "api_key", "(expires_at) WHERE expires_at IS NOT NULL"),
    ):
        create_index_concurrently(name, on=table, definition=definition)
