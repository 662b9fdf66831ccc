"""The vector stores themselves; each imports its library when it is opened, so that nobody pays for the
others.
"""
