"""Rate limits of API keys, counted for the whole fleet."""
