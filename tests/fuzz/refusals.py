"""What prometheus_client's own parsers cannot take, although they are given what its own writers write.

Each has the smallest example. Such lines are still compared with those of its writers, and read one by one.
"""

import re
from itertools import pairwise
from math import isnan

from prometheus_client.core import Metric
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from fleetmeter_exporter.exposition.formats import Format
from fuzz.expected import shown_label, shown_name

_RESERVED = re.compile("^__.*$")

_COUNTING = ("_total", "_sum", "_count", "_bucket")


def unreadable(sample: Sample, form: Format) -> bool:
    """Whether not even a line by itself can be read.

    * A label that is shown with two underscores at its beginning is refused as reserved. In the schemes `underscores`
      and `dots` ordinary ones become such: `_x` is shown as `__x` by `dots`, `..x` as `__x` by `underscores`.
    * `a_total 1 # {t="\\""} 1.0`: a quote in an exemplar ends the label value there, escaped or not.
    * `a_total 1 # {} 1.0 1e+16` raises IndexError, and the time -0.5 is read as 0.5.
    """
    if any(_RESERVED.match(shown_label(name, form)) for name in sample.labels):
        return True
    if not form.openmetrics or sample.exemplar is None:
        return False
    at = float(sample.exemplar.timestamp or 0)
    return any('"' in value for value in sample.exemplar.labels.values()) or not 0 <= at < 1e15


def refused(metric: Metric, form: Format) -> bool:
    """Whether the OpenMetrics parser refuses the family as a whole.

    * Names of samples are escaped as wholes, suffixes included, so that by `dots` `a_total` is shown as `a__total`:
      the parser takes it for another family than `a`, which has no exemplar, and is there twice when two take turns.
    * A state set's label bears its family's name, but is escaped as label names are: `x:y{x_y="on"}`; and beside a
      constant label of that name it takes another.
    * What a broken store holds, too, and no replica writes: negative counts, which let a bucket hold less than the one
      before, NaN, counts that are not whole, infinite ones, and bounds that are not spelt as usual.
    """
    name = shown_name(metric.name, form)
    if any(shown_name(sample.name, form) != name + sample.name[len(metric.name) :] for sample in metric.samples):
        return True
    if metric.type == "stateset":
        return shown_label(metric.name, form) != name or any(metric.name not in s.labels for s in metric.samples)
    buckets = [sample for sample in metric.samples if sample.name == f"{metric.name}_bucket"]
    if any(_goes_down(first, second) for first, second in pairwise(buckets)):
        return True
    return any(_uncounted(sample.name[len(metric.name) :], sample) for sample in metric.samples)


def _goes_down(first: Sample, second: Sample) -> bool:
    """Whether the second of two buckets of one series holds less."""
    same = {**first.labels, "le": ""} == {**second.labels, "le": ""}
    return same and float(second.value) < float(first.value)


def _uncounted(suffix: str, sample: Sample) -> bool:
    value = float(sample.value)
    if suffix in _COUNTING and (isnan(value) or value < 0):
        return True
    if suffix in ("_bucket", "_count") and not value.is_integer():
        return True
    if suffix == "_bucket":
        bound = float(sample.labels["le"])
        return sample.labels["le"] != str(floatToGoString(bound))  # type: ignore[no-untyped-call]
    return False
