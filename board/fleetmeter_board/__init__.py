"""The board: the fleet live in a browser, without Grafana."""
