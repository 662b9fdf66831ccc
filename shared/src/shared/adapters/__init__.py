"""Modules over third-party libraries that are heavy or untyped; imports inside functions are allowed here."""
