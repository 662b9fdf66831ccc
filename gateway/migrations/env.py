"""Migrations of the gateway's schema."""

from shared.migrations import run

run("gateway")
