"""The load: what is asked of the gateways, how, and what the client counts of it."""
