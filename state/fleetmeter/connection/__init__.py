"""Reaching a node of the store: address, credentials, discovery, routing, clients."""
