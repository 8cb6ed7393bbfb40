"""The lines of an exposition in the syntax of a format.

Names are escaped by prometheus_client's own functions, so that blocks and the general way write the same names.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from prometheus_client.openmetrics.exposition import ALLOWUTF8, escape_label_name, escape_metric_name
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString
from prometheus_client.validation import METRIC_LABEL_NAME_RE, METRIC_NAME_RE

from fleetmeter.reader.sample import Labels, Sample
from fleetmeter.schema.definition import Definition
from fleetmeter_exporter.exposition.formats import Format

if TYPE_CHECKING:
    import re

_TEXT_TYPES = {"info": "gauge", "stateset": "gauge"}
"""Types that the text format lacks, and the types that it has instead."""

_TEXT_SUFFIXES = {"counter": "_total", "info": "_info"}
"""Suffixes that the text format adds to a family's own name, because all its samples have them."""


class UnfitName(ValueError):
    """A name that cannot be shown; `name` has it."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name!r}: {problem}")
        self.name = name


def head(definition: Definition, form: Format) -> str:
    """The lines HELP and TYPE of a family, and in OpenMetrics UNIT, each after its line feed."""
    name, kind = definition.name, definition.type
    if not form.openmetrics:
        name += _TEXT_SUFFIXES.get(kind, "")
        kind = _TEXT_TYPES.get(kind, kind)
    return _head(name, kind, definition.help, definition.unit, form)


def created_head(definition: Definition, form: Format) -> str:
    """The lines HELP and TYPE of the family in which the text format has the `_created` samples."""
    return _head(f"{definition.name}_created", "gauge", definition.help, "", form)


def _head(name: str, kind: str, help_text: str, unit: str, form: Format) -> str:
    shown = escape_metric_name(name, form.escaping)
    text = escaped(help_text) if form.openmetrics else help_text.replace("\\", r"\\").replace("\n", r"\n")
    # parsers refuse the whole page if the shown name does not end with the UNIT
    has_unit = unit and METRIC_NAME_RE.fullmatch(f"_{unit}") and shown.strip('"').endswith(f"_{unit}")
    unit_line = f"\n# UNIT {shown} {unit}" if form.openmetrics and has_unit else ""
    return f"\n# HELP {shown} {text}\n# TYPE {shown} {kind}{unit_line}"


class Line:
    """The part of a line before its value, for one sample name and any label values.

    Labels are shown in the given order, and their values must come in the same order. Raises `UnfitName` for a name
    that the format cannot show, and for two labels that would be shown under one name.
    """

    def __init__(self, name: str, labels: Sequence[str], form: Format) -> None:
        shown = escape_metric_name(name, form.escaping)
        bare = form.escaping != ALLOWUTF8 or METRIC_NAME_RE.fullmatch(name)
        names = [escape_label_name(label, form.escaping) for label in labels]
        _check(name, shown, METRIC_NAME_RE, form)
        for label, text in zip(labels, names, strict=True):
            _check(label, text, METRIC_LABEL_NAME_RE, form)
            if names.count(text) > 1:
                raise UnfitName(label, f"another label of {name!r} is shown as {text!r}, too")
        self._opening = f"{shown}{{" if bare else f"{{{shown}"
        self._plain = f"{shown} " if bare else f"{{{shown}}} "
        self._heads = [f'{"" if bare and not place else ","}{text}="' for place, text in enumerate(names)]

    def before_value(self, values: Sequence[str]) -> str:
        """The line up to its value: name and labels."""
        if not values:
            return self._plain
        pairs = [head + escaped(value) for head, value in zip(self._heads, values, strict=True)]
        joined = '"'.join(pairs)
        return f'{self._opening}{joined}"}} '

    def pattern(self, values: Sequence[str | None]) -> str:
        """The same as a pattern for `%`, with a place for an escaped text for each value that is None."""
        if not values:
            return self._plain.replace("%", "%%")
        heads = [head.replace("%", "%%") for head in self._heads]
        texts = ["%s" if value is None else escaped(value).replace("%", "%%") for value in values]
        joined = '"'.join(head + text for head, text in zip(heads, texts, strict=True))
        return f'{self._opening.replace("%", "%%")}{joined}"}} '


class SampleLines:
    """The lines of a family's samples. The text before the numbers is kept for samples that come again."""

    def __init__(self, definition: Definition, form: Format) -> None:
        self._name = definition.name
        self._form = form
        self._lines: dict[tuple[str, ...], Line] = {}
        self._starts: dict[tuple[str, Labels], str] = {}

    def of(self, samples: Iterable[Sample]) -> list[str]:
        """The samples' lines, each after its line feed. Raises `UnfitName`."""
        known, self._starts = self._starts, {}
        found = []
        for sample in samples:
            key = sample.suffix, sample.labels
            start = self._starts[key] = known.get(key) or self._start(sample)
            exemplar = exemplar_text(sample.exemplar) if self._form.openmetrics and sample.exemplar else ""
            found.append(f"{start}{number_text(sample.value)}{exemplar}")
        return found

    def _start(self, sample: Sample) -> str:
        labels = sorted(sample.labels)
        names = (sample.suffix, *(name for name, _ in labels))
        if names not in self._lines:
            self._lines[names] = Line(self._name + sample.suffix, names[1:], self._form)
        return "\n" + self._lines[names].before_value([value for _, value in labels])


def own_labels(names: Sequence[str], constant: Collection[str]) -> list[str]:
    """The names of a family's own labels beside constant labels. Prometheus does the same.

    With the constant label `namespace`, a family's own label `namespace` is shown as `exported_namespace`.
    """
    taken = {*names, *constant}
    shown = []
    for name in names:
        free = name
        while name in constant and free in taken:
            free = f"exported_{free}"
        taken.add(free)
        shown.append(free)
    return shown


def number_text(number: float) -> str:
    """A number as both formats write it."""
    return str(floatToGoString(number))  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped


NOT_FINITE = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}
"""The words of `repr` for numbers that are not finite, and those of both formats."""


def exemplar_text(exemplar: Exemplar) -> str:
    """An exemplar as it follows a sample's value in OpenMetrics."""
    labels = ",".join(f'{name}="{escaped(value)}"' for name, value in sorted(exemplar.labels.items()))
    at = f" {exemplar.timestamp}" if exemplar.timestamp is not None else ""
    return f" # {{{labels}}} {number_text(exemplar.value)}{at}"


def fits(shown: str, pattern: "re.Pattern[str]", escaping: str) -> bool:
    """Whether parsers can read an escaped name. prometheus_client's own check is not enough: it allows line ends."""
    return bool(pattern.fullmatch(shown)) or (escaping == ALLOWUTF8 and shown.startswith('"'))


def _check(name: str, shown: str, pattern: "re.Pattern[str]", form: Format) -> None:
    if not fits(shown, pattern, form.escaping):
        raise UnfitName(name, f"no exposition with the escaping scheme {form.escaping!r} can hold this name")


def escaped(text: str) -> str:
    """A text, escaped for use between quotes and in OpenMetrics' HELP."""
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
