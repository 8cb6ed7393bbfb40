"""A service without a language model: what it records with `instrument_fastapi` is HTTP and its own, nothing else."""

import json

from fleetmeter_exporter.exposition.formats import TEXT
from fleetmeter_exporter.scraper import Scraper
from support.exposition import parse
from support.processes import run
from support.store import StoreAddress

FAMILIES = {
    "errors", "http_requests", "http_request_duration_seconds", "http_request_size_bytes", "http_response_size_bytes",
    "http_requests_in_progress", "replica_requests", "replica_errors",
}  # fmt: skip


def test_a_service_without_models_serves_no_catalogue_of_them(store: StoreAddress) -> None:
    """Its families are those of HTTP, of the replica, of the machinery, and its own; the catalogue is not imported."""
    ended = run("plain_service.py", store)
    assert (ended.returncode, json.loads(ended.stdout)) == (0, []), ended.stderr
    assert ended.stderr == ""

    scraper = Scraper.of(store.url, [store.namespace])
    text = scraper.text([scraper.fleets[0].scrape()], 0.0, TEXT)
    families = {line.split()[2].removesuffix("_total") for line in text.decode().splitlines() if "# TYPE" in line}
    assert {name for name in families if not name.startswith("fleetmeter_")} == FAMILIES

    shown = parse(text)
    assert shown["errors_total", frozenset({("kind", "sold_out")})] == 1
    assert b"# HELP errors_total Orders that could not be taken.\n" in text
    assert {key[1] for key in shown if key[0] == "errors_total"} == {frozenset({("kind", "sold_out")})}
    conflicts = {shown[key] for key in shown if key[0] == "fleetmeter_definition_conflicts_total"}
    assert conflicts <= {0.0}
    assert sum(shown[key] for key in shown if key[0] == "http_requests_total") == 3
