"""The gateway under load for a long time: what its memory does, and whether every call is counted."""
