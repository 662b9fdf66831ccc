"""The newest act of each service. Built while the service works."""

from shared.migrations import create_index_concurrently

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    create_index_concurrently("ix_audit_log_service", on="audit_log", definition="(service, id)")
