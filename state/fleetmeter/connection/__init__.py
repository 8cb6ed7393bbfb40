"""How a node of the store is reached: address, credentials, discovery, routing, clients."""
