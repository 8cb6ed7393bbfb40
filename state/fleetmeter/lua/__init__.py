"""The scripts that run inside the store."""
