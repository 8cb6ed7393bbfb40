"""The numbers of client, ledger and exporter, side by side."""
