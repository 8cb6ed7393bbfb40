"""How what was recorded is handed over: the protocol, its messages, the flush thread, the door to Redis."""
