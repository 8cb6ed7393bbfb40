"""How a namespace is read, and what of it may be shown."""
