"""What happened to the fleet, drawn over every chart: new versions, and times at which the numbers stood still."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard

from fleetmeter_board.colours import NEUTRAL, WARNING
from fleetmeter_dashboards.panel import DATASOURCE
from fleetmeter_dashboards.queries import RATE, Queries


def annotations() -> Sequence[dashboard.AnnotationQuery]:
    """One query for each kind of event."""
    queries = Queries()
    versions = queries.value("service", "service", "version")
    up = queries.value("fleetmeter_up", how="min")
    # A version that was not there an interval ago, although the fleet could be read then.
    deployed = (
        f"{versions.text} unless on (service, version) {queries.before(versions, RATE).text} "
        f"and on () {queries.before(up, RATE).text} == 1"
    )
    held = queries.value("fleetmeter_snapshot_held").occurred()
    return [
        _event("Deploys", deployed, "A version began to run", "{{service}} {{version}}", NEUTRAL),
        _event("Holds", held.text, "An older snapshot is shown", "All numbers stand still: see Fleet.", WARNING),
    ]


def _event(name: str, expression: str, title: str, text: str, colour: str) -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(DATASOURCE)
        .enable(enable=True)
        .icon_color(colour)
        .expr(expression)
        .title_format(title)
        .text_format(text)
    )
