"""Alembic's entry: the schema of the inference-service."""

from shared.migrations import run

run("inference")
