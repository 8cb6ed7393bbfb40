"""Servers and job runners of others, each in an environment of its own: the ledger of bytes against the export."""
