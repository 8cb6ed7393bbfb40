"""The Grafana dashboards as code: built from what the library, the middleware and the exporter declare."""
