"""API keys of the gateway: who may ask, and for what."""
