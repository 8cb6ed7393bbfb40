"""The provisioning files agree with the dashboards and with Prometheus' configuration."""

import re

from observation.dashboards import ROOT, scrape_interval

FOLDER = ROOT / "grafana" / "provisioning"


def test_grafana_knows_the_scrape_interval() -> None:
    """`$__rate_interval` is right only if the data source knows how often Prometheus scrapes."""
    (stated,) = re.findall(r"^  scrape_interval: (\d+)s$", (ROOT / "prometheus" / "prometheus.yml").read_text(), re.M)
    assert scrape_interval() == int(stated)


def test_dashboards_cannot_be_changed_in_the_browser() -> None:
    """What is generated is changed in the code: Grafana neither saves nor deletes it."""
    text = (FOLDER / "dashboards" / "fleetmeter.yml").read_text()
    assert "allowUiUpdates: false" in text
    assert "disableDeletion: true" in text


def test_addresses_come_from_the_environment() -> None:
    """The files hold no address and no path of one machine; the documentation names the variables."""
    texts = [path.read_text() for path in FOLDER.rglob("*.yml")]
    variables = {name for text in texts for name in re.findall(r"\$(\w+)", text)}
    assert variables == {"FLEETMETER_DASHBOARDS", "FLEETMETER_PROMETHEUS_URL"}
    text = (ROOT / "docs" / "dashboards.md").read_text()
    assert all(name in text for name in variables)
