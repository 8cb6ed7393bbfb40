"""How the exporter is served: connections, limits, TLS, users."""
