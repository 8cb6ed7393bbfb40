"""Exemplars: an example behind a counter or a bucket, as it is stored and as it is read back."""

import math
import re

from prometheus_client.samples import Exemplar

from fleetmeter.schema.definition import read_json, texts_of

LONGEST = 128
"""Characters that names and values of an exemplar's labels may have together, by OpenMetrics."""

_LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_exemplar(text: str) -> Exemplar | None:
    """An exemplar as it was stored; None if it cannot be served: an example must not cost a scrape."""
    try:
        raw = read_json(text)
        labels = dict(raw["labels"])
        texts_of([*labels, *labels.values()])
        value, timestamp = float(raw["value"]), float(raw["timestamp"])
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
    names_fit = all(_LABEL_NAME.fullmatch(name) for name in labels)
    short = sum(len(name) + len(value) for name, value in labels.items()) <= LONGEST
    if not (names_fit and short and math.isfinite(value) and math.isfinite(timestamp)):
        return None
    return Exemplar(labels, value, timestamp)


def newer(first: Exemplar, second: Exemplar | None) -> Exemplar:
    """The exemplar with the later time. With equal times the choice does not depend on the order."""
    return first if second is None or _rank(first) >= _rank(second) else second


def _rank(exemplar: Exemplar) -> tuple[float, float, list[tuple[str, str]]]:
    return float(exemplar.timestamp or 0), exemplar.value, sorted(exemplar.labels.items())
