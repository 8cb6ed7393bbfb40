"""Families that carry the labels of the user's own: ordinary metrics of prometheus_client, with values that follow.

`labels(…)` takes the family's own values, as ever, and adds those in force (`attributes()`). When other labels are
configured, a family gets a new inside: the object stays, whoever holds it. What was counted before stays beside it,
under the labels of then, as the fleet's exposition shows two layouts of one family side by side.
"""

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import RLock
from typing import Any, Self
from weakref import WeakKeyDictionary, WeakSet

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.metrics import MetricWrapperBase

from fleetmeter.attribution.context import Attributes, current_attributes
from fleetmeter.attribution.labels import UserLabels
from fleetmeter.attribution.settings import VARIABLE, Wanted, from_text, labels_of
from fleetmeter.errors import SettingError
from fleetmeter.process.installation import forget_family

_log = logging.getLogger("fleetmeter")
_lock = RLock()
_makers: "WeakKeyDictionary[Any, Callable[[Sequence[str]], Any]]" = WeakKeyDictionary()
"""By family what makes another one like it, with other label names."""
_followers: "WeakSet[Any]" = WeakSet()
"""Families that follow the labels."""


class _Labels:
    """The labels in force in this process; `settled` once an argument, the environment or a first record decided.

    `changes` is another object after each change that may have taken children away from their families.
    """

    def __init__(self) -> None:
        self.settled = False
        self.current = UserLabels()
        self.changes = object()


_labels = _Labels()


class Attributed(MetricWrapperBase):
    """What the families below add to prometheus_client's."""

    own: tuple[str, ...] = ()
    """The family's own label names."""
    further: UserLabels | None = None
    """Labels of the user's that its series have; None if it does not follow, or if it is a child."""
    earlier: "tuple[Attributed, ...]" = ()
    """What it counted under other labels."""

    def labels(self, *labelvalues: object, **labelkwargs: object) -> Self:
        """The child for the family's own label values and the values in force."""
        if not _labels.settled:
            settle()
        further = self.further
        if further is None or not further.names:
            return super().labels(*labelvalues, **labelkwargs)
        texts = further.texts(current_attributes())
        try:
            if labelkwargs:
                return super().labels(*labelvalues, **labelkwargs, **dict(zip(further.names, texts, strict=True)))
            return super().labels(*labelvalues, *texts)
        except ValueError:
            if self.further is further:
                raise
            return self.labels(*labelvalues, **labelkwargs)  # other labels came meanwhile

    def remove(self, *labelvalues: object) -> None:
        """Remove the series with these own label values, whatever the user's labels say."""
        for earlier in self.earlier:
            earlier.remove(*labelvalues)
        if self.further is None or not self.further.names or len(labelvalues) != len(self.own):
            super().remove(*labelvalues)
            _note_change()
        else:
            self.remove_by_labels(dict(zip(self.own, map(str, labelvalues), strict=True)))

    def remove_by_labels(self, labels: dict[str, str]) -> None:
        """Remove the series that have these label values."""
        super().remove_by_labels(labels)
        _note_change()

    def clear(self) -> None:
        """Remove all series."""
        for earlier in self.earlier:
            earlier.clear()
        super().clear()
        _note_change()

    def collect(self) -> Iterable[Metric]:
        """The family with all its series."""
        found = list(super().collect())
        for earlier in self.earlier:
            for family in earlier.collect():
                found[0].samples.extend(family.samples)
        return found


class AttributedCounter(Attributed, Counter):
    """A counter."""


class AttributedHistogram(Attributed, Histogram):
    """A histogram."""


class NotedGauge(Attributed, Gauge):
    """A gauge that never has labels of the user's. Its removals are noted, so that its children may be remembered."""


def counter(
    name: str,
    documentation: str,
    labelnames: Sequence[str],
    *,
    registry: CollectorRegistry | None,
    unit: str = "",
    following: bool = True,
) -> AttributedCounter:
    """A counter that follows the labels of the user's own, or will if `follow` is called."""
    made = AttributedCounter(name, documentation, labelnames, unit=unit, registry=registry)
    _makers[made] = lambda names: AttributedCounter(name, documentation, names, unit=unit, registry=None)
    if following:
        follow(made)
    return made


def histogram(
    name: str,
    documentation: str,
    labelnames: Sequence[str],
    *,
    registry: CollectorRegistry | None,
    buckets: Sequence[float],
    unit: str = "",
    following: bool = True,
) -> AttributedHistogram:
    """A histogram that follows the labels of the user's own, or will if `follow` is called."""

    def make(names: Sequence[str], registry: CollectorRegistry | None = None) -> AttributedHistogram:
        return AttributedHistogram(name, documentation, names, unit=unit, buckets=buckets, registry=registry)

    made = make(labelnames, registry)
    _makers[made] = make
    if following:
        follow(made)
    return made


def follow(family: Attributed) -> None:
    """Let a family have the labels of the user's own, now and whenever they change."""
    with _lock:
        if family not in _followers:
            family.own = tuple(family._labelnames)  # noqa: SLF001  prometheus_client has no public name for it
            _followers.add(family)
            _turn(family, _labels.current)


def user_labels() -> UserLabels:
    """The labels in force in this process."""
    if not _labels.settled:
        settle()
    return _labels.current


def key_of(attributes: Attributes) -> tuple[str, ...]:
    """Intent and label values for what is in force: of the labels that this process has now."""
    labels = _labels.current if _labels.settled else user_labels()
    if attributes.read_by is not labels:
        labels.texts(attributes)
    return attributes.key


def last_change() -> object:
    """Another object after each removal of children and each change of labels: children found before may be gone."""
    return _labels.changes


def _note_change() -> None:
    """Say so once it has happened, so that nobody keeps a child that was found before under the new object."""
    _labels.changes = object()


def configure_labels(wanted: Wanted) -> None:
    """Have these labels from now on. Raises `SettingError`."""
    _put_in_force(UserLabels(labels_of("labels", wanted)))


def labels_from_environment(environ: Mapping[str, str] | None = None) -> None:
    """Have the labels that `FLEETMETER_LABELS` names, unless it was decided before. Raises `SettingError`."""
    with _lock:
        if not _labels.settled:
            environ = os.environ if environ is None else environ
            _put_in_force(UserLabels(from_text(environ.get(VARIABLE, ""))))


def settle() -> None:
    """Decide by the environment at a first record; what cannot be used there is logged, and there are no labels."""
    try:
        labels_from_environment()
    except SettingError as error:
        _log.error("there are no labels of your own: %s", error)
        _labels.settled = True


def _put_in_force(labels: UserLabels) -> None:
    with _lock:
        for family in list(_followers):
            _turn(family, labels)
        _labels.current = labels
        _labels.settled = True
        _note_change()


def _turn(family: Attributed, labels: UserLabels) -> None:
    """Give a family these labels, in one step: other threads may be recording."""
    before = family.further.names if family.further is not None else ()
    if before == labels.names:
        family.further = labels
        return
    known = {one.further.names if one.further is not None else (): one for one in family.earlier}
    inside = known.pop(labels.names, None) or _makers[family]((*family.own, *labels.names))
    kept = object.__new__(type(family))
    kept.__dict__.update({**family.__dict__, "earlier": ()})
    if any(found.samples for found in kept.collect()):
        known[before] = kept
    else:
        forget_family(kept)
    family.__dict__.update({**inside.__dict__, "own": family.own, "further": labels, "earlier": tuple(known.values())})
