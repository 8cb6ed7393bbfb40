"""The families of an exposition: joined over namespaces, and without those whose names clash with older ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from prometheus_client.openmetrics.exposition import escape_metric_name
from prometheus_client.validation import METRIC_NAME_RE

from fleetmeter.reader.families import Source
from fleetmeter.reader.sample import Labels
from fleetmeter.schema.definition import Definition
from fleetmeter_exporter.exposition.lines import fits
from fleetmeter_exporter.exposition.own_metrics import OWN_NAMES, constant_labels
from fleetmeter_exporter.fleet import Scrape

_SUFFIXES = {
    "counter": ("", "_total", "_created"),
    "summary": ("", "_sum", "_count", "_created"),
    "histogram": ("", "_bucket", "_sum", "_count", "_created"),
    "info": ("", "_info"),
}
"""The suffixes with which a type uses its family's name, as in prometheus_client's registries."""


@dataclass(frozen=True)
class Group:
    """One family of an exposition: its definition, and the namespaces that have samples of it."""

    definition: Definition
    members: tuple[tuple[Scrape, Source], ...]


class _Named(NamedTuple):
    name: str
    type: str
    first_us: int


def groups_of(scrapes: Sequence[Scrape], escaping: str) -> list[Group]:
    """The families of all namespaces, by name. A family that cannot be shown is noted in the scrapes.

    Two things are left out. First, a namespace's part of a family, if an earlier namespace has the family with another
    type. Second, a family that would show a name which an older family shows: a gauge `jobs_total` beside an older
    counter `jobs`. `escaping` is the scheme in which names are shown.
    """
    found: dict[str, list[tuple[Scrape, Source]]] = {}
    for scrape in scrapes:
        for name, source in scrape.families.sources.items() if scrape.families is not None else ():
            members = found.setdefault(name, [])
            if members and members[0][1].newest.type != source.newest.type:
                other = f"{members[0][1].newest.type} in namespace {members[0][0].namespace!r}"
                problem = f"family {name!r} is not served: it is a {source.newest.type} here, but a {other}; rename one"
                scrape.note(name, "conflict", problem)
            else:
                members.append((scrape, source))
    first = {name: min(source.first_us for _, source in members) for name, members in found.items()}
    named = tuple(_Named(name, members[0][1].newest.type, first[name]) for name, members in sorted(found.items()))
    clashes = _clashes(named, escaping)
    for name, taken in clashes.items():
        for scrape, _ in found[name]:
            scrape.note(name, "conflict", f"family {name!r} is not served: {taken}")
    return [
        Group(_shown(members[0][1].newest, constant_labels(members[0][0], scrapes)), tuple(members))
        for name, members in sorted(found.items())
        if name not in clashes
    ]


def _shown(definition: Definition, constant: Labels) -> Definition:
    """A definition as it is shown beside constant labels.

    A state set names its states by a label of its own name. A set called `namespace` cannot do so beside the constant
    label `namespace`: its label is renamed, and what parsers find is a gauge.
    """
    renamed = definition.type == "stateset" and definition.name in dict(constant)
    return replace(definition, type="gauge") if renamed else definition


@lru_cache(maxsize=8)  # the families seldom change between two scrapes
def _clashes(families: tuple[_Named, ...], escaping: str) -> dict[str, str]:
    """The families that cannot be shown beside older ones, each with the reason."""
    owner = {escape_metric_name(name, escaping): "the exporter itself" for name in OWN_NAMES}
    clashes = {}
    for family in sorted(families, key=lambda family: (family.first_us, family.name)):
        shown = {escape_metric_name(family.name + suffix, escaping) for suffix in _SUFFIXES.get(family.type, ("",))}
        taken = sorted(name for name in shown if name in owner)
        if not all(fits(name, METRIC_NAME_RE, escaping) for name in shown):
            clashes[family.name] = f"no exposition with the escaping scheme {escaping!r} can hold its name; rename it"
        elif taken:
            owned = f"{taken[0]!r}, which belongs to {owner[taken[0]]}"
            clashes[family.name] = f"it would show the name {owned}; rename one of them"
        else:
            owner |= dict.fromkeys(shown, f"family {family.name!r}")
    return clashes
