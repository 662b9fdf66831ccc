"""Streaming replies: the live log, its journal, and followers that can resume."""
