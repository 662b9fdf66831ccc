"""Alembic's entry: the schema of the billing-service."""

from shared.migrations import run

run("billing")
