"""The life of a process in the fleet: install, fork, SIGTERM, exit, and blocks of records."""
