"""What stands in for prometheus_client's classes; the only place that touches its private names."""
