"""The gateway's HTTP side: routes, bounds, and a request's way from its first byte to its record."""
