"""Previews of the dashboards: each drawn with matplotlib from its JSON, with a live Prometheus' answers.

Layout, titles, units, legends, thresholds, colours and words come from the JSON; how a panel looks is only near to
Grafana's own drawing.
"""
