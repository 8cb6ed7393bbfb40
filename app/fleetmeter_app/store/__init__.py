"""How asynchronous code of the gateway speaks with the store: scripts, a time limit, calls that go together."""
