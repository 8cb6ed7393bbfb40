"""What this process has recorded and not yet handed over."""
