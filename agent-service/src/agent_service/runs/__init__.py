"""Runs, as their person sees them: begun, read, followed, stopped, approved, deleted."""
