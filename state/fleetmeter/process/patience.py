"""How long the end of a process waits."""

EXIT_TIMEOUT = 2.0
"""Seconds that a normal exit waits, at most, for the store to take what was recorded."""
