"""The message tree: branches, siblings, what a turn sends as history."""
