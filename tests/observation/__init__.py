"""A fleet under load, a real Prometheus that scrapes it, and what the dashboards' queries make of it."""
