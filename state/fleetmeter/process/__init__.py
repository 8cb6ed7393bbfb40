"""What a process lives through: install, fork, SIGTERM, exit, and the blocks of records."""
