"""Holds an exposition against what it has to say: line by line, and as prometheus_client's parsers read it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TypeAlias

from prometheus_client import parser as text_parser
from prometheus_client.core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.openmetrics.exposition import ALLOWUTF8, VALUES
from prometheus_client.samples import Sample

from fleetmeter_exporter.exposition.formats import Format
from fuzz.expected import METRIC_NAME, UNCOMPARED, Expected, shown_label, shown_name
from fuzz.refusals import refused, unreadable

_Flat: TypeAlias = tuple[str, tuple[tuple[str, str], ...], str, object]
"""Name, labels, value and exemplar of a sample, comparable."""


class Different(AssertionError):
    """An exposition is not what it has to be."""


@dataclass
class Chunk:
    """What stands together in an exposition: HELP, TYPE and perhaps UNIT, and the samples below them."""

    metric: Metric
    samples: list[Sample]
    head: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def check(text: str, wanted: Expected) -> list[Chunk]:
    """The families of an exposition, after everything about them was found right; else raises `Different`."""
    if text and not text.endswith("\n"):
        raise Different(f"no line feed at the end of {text[-80:]!r}")
    lines = _without_uncompared(text.split("\n")[:-1])
    ours, theirs = _cut(lines, _chunks(wanted)), _cut(wanted.text().split("\n")[:-1], _chunks(wanted, empty=True))
    theirs = [chunk for chunk in theirs if chunk.samples or not wanted.names]
    for our, their in zip(ours, theirs, strict=True):
        _check_lines(our, their, wanted.form)
    _check_unique(wanted)
    _check_parsed(ours, wanted.form, parts=bool(wanted.names))
    return ours


def own_value(text: str, name: str) -> float:
    """The sum of the samples of one of the exporter's own families."""
    pattern = re.compile(f"{name.replace('_', '_+')}[ {{]")
    return sum(float(line.rpartition(" ")[2]) for line in text.split("\n") if pattern.match(line))


def masked(text: bytes) -> bytes:
    """The text with a duration of 0."""
    return re.sub(rb"(?m)^(fleetmeter_+scrape_+duration_+seconds) .*$", rb"\1 0", text)


def _without_uncompared(lines: Sequence[str]) -> list[str]:
    names = "|".join(name.replace("_", "_+") for name in UNCOMPARED)
    pattern = re.compile(f"(# (HELP|TYPE|UNIT) )?({names})[ {{]")
    return [line for line in lines if not pattern.match(line)]


def _chunks(wanted: Expected, *, empty: bool = False) -> Iterator[Chunk]:
    """The chunks of the exposition, without lines; with `empty` those, too, that no sample that was asked for is in.

    Text has creation times in a family of their own. Where they alone are asked for, prometheus_client's text has the
    head of the other family above nothing, ours has not.
    """
    for metric in wanted.metrics:
        aside = [sample for sample in metric.samples if _is_created(sample, metric) and not wanted.form.openmetrics]
        among = [sample for sample in metric.samples if sample not in aside] if aside else metric.samples
        if among or empty or not wanted.names:
            yield Chunk(metric, among)
        if aside:
            yield Chunk(metric, aside)


def _is_created(sample: Sample, metric: Metric) -> bool:
    return sample.name == f"{metric.name}_created"


def _cut(lines: Sequence[str], chunks: Iterable[Chunk]) -> list[Chunk]:
    """The lines by chunk."""
    cut = []
    at = 0
    for chunk in chunks:
        while at < len(lines) and lines[at].startswith("# ") and lines[at] != "# EOF":
            new = lines[at].startswith("# HELP ") and chunk.head
            if new:
                break
            chunk.head.append(lines[at])
            at += 1
        while at < len(lines) and not lines[at].startswith("# "):
            chunk.lines.append(lines[at])
            at += 1
        cut.append(chunk)
    if lines[at:] not in ([], ["# EOF"]):
        raise Different(f"nobody expects {lines[at:]!r}")
    return cut


def _check_lines(ours: Chunk, theirs: Chunk, form: Format) -> None:
    """Each line is prometheus_client's own, but that a number may be spelt otherwise."""
    if ours.head != theirs.head or len(ours.lines) != len(theirs.lines):
        raise Different(f"{ours.head} with {ours.lines}, and prometheus_client's {theirs.head} with {theirs.lines}")
    if not _misnamed(ours.metric, form):
        for our, their in zip(ours.lines, theirs.lines, strict=True):
            if not _same_line(our, their):
                raise Different(f"{our!r}, and prometheus_client's {their!r}")


def _misnamed(metric: Metric, form: Format) -> bool:
    """Whether prometheus_client's OpenMetrics writes a family's samples with another name than its head.

    It does where there is a colon, and with the scheme `values` where the name is an ordinary one: `# TYPE x:y gauge`
    stands above `x_y 1.0`, and `# TYPE a gauge` above `U__a 1.0`. Those lines are judged by what a parser reads.
    """
    if not form.openmetrics or form.escaping == ALLOWUTF8:
        return False
    return ":" in metric.name or (form.escaping == VALUES and METRIC_NAME.fullmatch(metric.name) is not None)


def _same_line(ours: str, theirs: str) -> bool:
    if ours == theirs:
        return True
    start, number = ours.rsplit(" ", 1)
    their_start, their_number = theirs.rsplit(" ", 1)
    if start == their_start:
        return _same_number(number, their_number)
    pairs = enumerate(zip(ours, theirs, strict=False))
    differs = next((place for place, (our, their) in pairs if our != their), min(len(ours), len(theirs)))
    at = ours.rfind(" ", 0, differs) + 1
    number, _, rest = ours[at:].partition(" ")
    their_number, _, their_rest = theirs[at:].partition(" ")
    return rest == their_rest and _same_number(number, their_number)


def _same_number(ours: str, theirs: str) -> bool:
    try:
        return float(ours) == float(theirs)
    except ValueError:
        return False


def _check_unique(wanted: Expected) -> None:
    """No series is there twice."""
    seen = set()
    for metric in wanted.metrics:
        for name, labels, *_ in (_flat(sample, wanted.form) for sample in metric.samples):
            if (name, labels) in seen:
                raise Different(f"{name}{dict(labels)} is there twice")
            seen.add((name, labels))


def _check_parsed(chunks: Iterable[Chunk], form: Format, *, parts: bool) -> None:
    """The official parser accepts what it can take, and finds in each line what there is to find.

    OpenMetrics forbids `parts` of families, as a histogram without its buckets.
    """
    parser = openmetrics_parser if form.openmetrics else text_parser
    whole: list[str] = []
    wanted: list[_Flat] = []
    for chunk in chunks:
        if any(unreadable(sample, form) for sample in chunk.samples):
            continue  # nothing can read it
        flat = [_flat(sample, form) for sample in chunk.samples]
        if form.openmetrics and (parts or refused(chunk.metric, form)):
            _check_same([parser._parse_sample(line) for line in chunk.lines], flat)
        else:
            whole += (*chunk.head, *chunk.lines)
            wanted += flat
    text = "".join(f"{line}\n" for line in (*whole, *(["# EOF"] if form.openmetrics else [])))
    try:
        families = list(parser.text_string_to_metric_families(text))
    except (ValueError, KeyError, IndexError) as error:
        raise Different(f"the parser says {error!r} to\n{text}") from error
    _check_same([sample for family in families for sample in family.samples], wanted)


def _check_same(parsed: Iterable[Sample], wanted: Iterable[_Flat]) -> None:
    for found, sample in zip_longest(map(_parsed, parsed), wanted):
        if found != sample:
            raise Different(f"the parser finds {found!r} and should find {sample!r}")


def _flat(sample: Sample, form: Format) -> _Flat:
    labels = tuple(sorted((shown_label(name, form), value) for name, value in sample.labels.items()))
    return shown_name(sample.name, form), labels, repr(float(sample.value)), _exemplar(sample, form)


def _exemplar(sample: Sample, form: Format) -> object:
    if sample.exemplar is None or not form.openmetrics:
        return None
    labels, value, at = sample.exemplar
    return labels, float(value), round(float(at or 0), 6)


def _parsed(sample: Sample) -> _Flat:
    exemplar = sample.exemplar
    return (
        sample.name,
        tuple(sorted(sample.labels.items())),
        repr(float(sample.value)),
        exemplar and (exemplar.labels, float(exemplar.value), round(float(exemplar.timestamp or 0), 6)),
    )
