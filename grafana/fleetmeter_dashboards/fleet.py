"""Whether the counting itself works."""

from collections.abc import Sequence

from fleetmeter_board.colours import BAD, GOOD
from fleetmeter_dashboards import first_row
from fleetmeter_dashboards.page import Page, Section
from fleetmeter_dashboards.panel import Panel, Steps, Target, Value, quantiles, rising
from fleetmeter_dashboards.panels import bars, rows_of, series, stat_of
from fleetmeter_dashboards.queries import Expression, Queries, per_second, ratio

_ANY: Steps = ((None, GOOD), (0.5, BAD))
"""None is right, and one is wrong."""


def page(_labels: Sequence[str] = ()) -> Page:
    """The dashboard; what the machinery counts has no labels of the user's own."""
    queries = Queries()
    return Page(
        "fleetmeter-fleet",
        "Fleetmeter / Fleet",
        "Whether replicas, store and exporter do their work, and whether any count was lost on the way.",
        (),
        (
            Section("", _first_row(queries)),
            Section("Replicas", _replicas(queries)),
            Section("Flushes: from the replicas into the store", _flushes(queries)),
            Section("Scrapes: from the store to Prometheus", _scrapes(queries)),
            Section("What was lost or left out", _losses(queries)),
        ),
    )


def _first_row(queries: Queries) -> list[Panel]:
    age = queries.age("fleetmeter_last_write_timestamp_seconds")
    goodbye = queries.value("fleetmeter_last_write_goodbye", how="min")
    replicas = queries.amount("fleetmeter_replicas")
    awaited = Expression(
        f"{age.text} unless ({goodbye.text} == 1 and {replicas.text} == 0)",
        age.unit,
        (*age.families, *goodbye.families, *replicas.families),
    )
    return [
        first_row.trust(queries),
        first_row.last_hour(queries),
        stat_of(
            "How many replicas live?",
            "Processes that wrote, or said that they are there, within the last 15 s.",
            replicas,
            Value(steps=((None, BAD), (1, GOOD)), decimals=0),
        ),
        stat_of(
            "How old is the last write?",
            "Replicas say every 5 s that they are there, so it stays below that. Orange from 15 s, red from 5 min. "
            "Empty if nobody ever wrote, or if all have ended as they should.",
            awaited,
            Value(steps=rising(15, 300), decimals=1, low=0, none="nobody is there"),
        ),
        stat_of(
            "How many batches were lost?",
            "Within the time shown: batches that the store lost and that no replica could send again. Their "
            "counts are missing.",
            queries.increase("fleetmeter_lost_batches"),
            Value(steps=_ANY, decimals=0),
            solid=True,
        ),
        stat_of(
            "Is an older snapshot shown?",
            "Yes, for some seconds, while replicas send again what a restored store has lost: all numbers stand still.",
            queries.value("fleetmeter_snapshot_held"),
            Value(unit="none", words={"0": ("no", GOOD), "1": ("yes", "orange")}),
            solid=True,
        ),
    ]


def _replicas(queries: Queries) -> list[Panel]:
    requests = queries.value("replica_requests", "replica")
    services = queries.value("service", "service", "version")
    exporter = queries.value("fleetmeter_exporter_build_info", "version")
    versions = Expression(
        f'{services.text} or label_replace({exporter.text}, "service", "fleetmeter-exporter", "", "")',
        services.unit,
        (*services.families, *exporter.families),
    )
    return [
        series(
            "Do replicas come and go?",
            "Living replicas over time.",
            [Target(queries.amount("fleetmeter_replicas"), "replicas")],
            Value(low=0, decimals=0), width=8,
        ),
        rows_of(
            "Which versions run?",
            "One line for each version of each service that living replicas report, and of the exporter.",
            {"services": versions},
            ["service", "version"], width=8, hide_values=True, none="no service says its version",
        ),
        rows_of(
            "Which replica fails?",
            "HTTP requests of each living replica since it started, and the share that it answered with 500 or above.",
            {"requests": requests, "failed": ratio(queries.value("replica_errors", "replica"), requests)},
            ["replica"], width=8, sort_by="failed",
            units={"requests": Value(unit="locale", decimals=0), "failed": Value(decimals=1, steps=rising(0.01, 0.05))},
        ),
    ]  # fmt: skip


def _flushes(queries: Queries) -> list[Panel]:
    return [
        series(
            "How many batches does the store take?",
            "Batches per second that the store acknowledged, heartbeats not counted.",
            [Target(queries.rate("fleetmeter_flushes"), "batches")],
            Value(unit=per_second("batches"), low=0), width=8,
        ),
        bars(
            "Which calls to the store fail?",
            "Calls within the time shown that did not go as they should, by reason. Nothing is lost by one: it "
            "is sent again.",
            [Target(_reasons(queries, "fleetmeter_flush_errors"), "{{reason}}")],
            Value(low=0, decimals=0, steps=rising(0.5, 10)),
        ),
        series(
            "How long does a flush take?",
            "Half, 95 and 99 of 100 batches are acknowledged within this time.",
            quantiles(queries, "fleetmeter_flush_duration_seconds"),
            Value(low=0), colour="quantile", width=8,
        ),
    ]  # fmt: skip


def _scrapes(queries: Queries) -> list[Panel]:
    errors = queries.value("fleetmeter_last_scrape_error", "reason")
    reasons = queries.value("fleetmeter_snapshot_held_reason", "reason")
    return [
        series(
            "How long does a scrape take?",
            "Time that the exporter needs to read the store and to merge what it read. Prometheus gives up after 10 s.",
            [Target(queries.value("fleetmeter_scrape_duration_seconds"), "scrape")],
            Value(low=0), width=6,
        ),
        series(
            "How many series does a scrape hold?",
            "Samples of the fleet's families. A line that climbs without end is a label that takes ever new values.",
            [Target(queries.amount("fleetmeter_scrape_series"), "samples")],
            Value(low=0, decimals=0), width=6,
        ),
        series(
            "Is the store behind what was shown?",
            "Numbers that are below what was served before, because the store was rolled back; what was served "
            "is shown in "
            "their place. Held is 1 while a whole older snapshot is shown, by what the store lacks; the exporter's log "
            "names the writer.",
            [
                Target(queries.amount("fleetmeter_counts_behind"), "behind"),
                Target(queries.value("fleetmeter_snapshot_held"), "held"),
                Target(queries.or_zero(reasons.occurred(), "reason"), "held: {{reason}}"),
            ],
            Value(low=0, decimals=0), width=6,
        ),
        bars(
            "What is missing from a scrape?",
            "Troubles that the last scrape met, by reason: something that is stored was not read, or is not shown. The "
            "exporter's log names it.",
            [Target(queries.or_zero(errors.occurred(), "reason"), "{{reason}}")],
            Value(low=0, high=1, decimals=0, steps=_ANY), width=6,
        ),
    ]  # fmt: skip


def _reasons(queries: Queries, family: str) -> Expression:
    return queries.or_zero(queries.increase(family, "reason").occurred(), "reason")


def _losses(queries: Queries) -> list[Panel]:
    dropped = queries.increase("fleetmeter_dropped_series", "family").largest().occurred()
    epoch = queries.value("fleetmeter_state_epoch_timestamp_seconds")
    return [
        bars(
            "Which families have too many series?",
            "Within the time shown: series for which a family had no place (max_series); their amounts are under "
            "__overflow__. Take labels with fewer values. Of labels of your own: values that were counted as other.",
            [
                Target(queries.or_zero(dropped, "family"), "{{family}}"),
                Target(queries.increase("label_overflows", "label").occurred(), "label {{label}}"),
            ],
            Value(low=0, decimals=0, steps=_ANY),
        ),
        bars(
            "Do programs disagree about a family?",
            "Within the time shown: definitions that differ from the one before, by what differs. Ordinary in a "
            "deploy; "
            "otherwise two programs use one name for different things.",
            [Target(_reasons(queries, "fleetmeter_definition_conflicts"), "{{reason}}")],
            Value(low=0, decimals=0, steps=rising(0.5, 100)),
        ),
        bars(
            "Which values were not recorded?",
            "Within the time shown, by reason: not finite, too large, refused by the store, a gauge's function failed.",
            [Target(_reasons(queries, "fleetmeter_rejected_values"), "{{reason}}")],
            Value(low=0, decimals=0, steps=_ANY),
        ),
        series(
            "How much could replicas send again?",
            "Bytes of acknowledged batches that living replicas keep, for an hour at most.",
            [Target(queries.amount("fleetmeter_retained_bytes"), "kept")],
            Value(low=0), width=16,
        ),
        stat_of(
            "When did counting begin?",
            "Birth of the present epoch. A new one means that the store came back empty, or was reset: all "
            "counts began anew.",
            Expression(f"1000 * {epoch.text}", "dateTimeAsIso", epoch.families),
            width=8, height=8,
        ),
    ]  # fmt: skip
