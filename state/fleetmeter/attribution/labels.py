"""The labels of the user's own: which there are, how many values each may have, and which value a record gets."""

import logging
from collections.abc import Iterable, Mapping
from threading import Lock

from fleetmeter.attribution.context import Attributes
from fleetmeter.attribution.overflows import overflows

OTHER = "other"
"""Stands for every value that is not admitted."""
UNSPECIFIED = "unspecified"
"""The value of records that nobody gave one."""
LONGEST = 128
"""Characters of a value; a longer one is no name of anybody."""
_MOST_TOLD = 100
"""Unknown names that are told in the life of a process: callers decide what they send."""

_log = logging.getLogger("fleetmeter")
_told: set[str] = set()


class UserLabel:
    """One label and its values: those that were named, or else the first `limit` that come."""

    def __init__(self, name: str, limit: int, values: Iterable[str] = ()) -> None:
        self.name = name
        self.limit = limit
        self._values = set(values)
        self._lock = Lock()
        self._complained = False

    def admit(self, value: object) -> str:
        """The label's text for a value; `other`, counted and told once, if it is not admitted. Never raises."""
        if value is None:
            return UNSPECIFIED
        text = _text(value)
        if text is None:
            self._refuse(f"a {type(value).__name__}, or a text that is empty, too long or no UTF-8")
            return OTHER
        if text in self._values or text in (OTHER, UNSPECIFIED):
            return text
        with self._lock:
            if len(self._values) < self.limit:
                self._values.add(text)
                return text
        self._refuse("one more")
        return OTHER

    def _refuse(self, found: str) -> None:
        overflows().labels(self.name).inc()
        if not self._complained:
            self._complained = True
            _log.warning(
                "the label %s was given %s; it takes texts of 1 to %d characters, %d different ones. This one and "
                "further ones are counted as %r: see configure(labels=…)",
                self.name, found, LONGEST, self.limit, OTHER,
            )  # fmt: skip


class UserLabels:
    """All of them, in the order in which they were given."""

    def __init__(self, labels: Iterable[UserLabel] = ()) -> None:
        self.labels = tuple(labels)
        self.names = tuple(label.name for label in self.labels)

    def limits(self) -> Mapping[str, int]:
        """How many values each label may have."""
        return {label.name: label.limit for label in self.labels}

    def texts(self, attributes: Attributes) -> tuple[str, ...]:
        """The label values for what is in force, in the order of `names`.

        They are found once for each block of `attributes()`, so that a value which is not admitted is counted once.
        """
        if attributes.read_by is not self:
            self._read(attributes)
        return attributes.texts

    def _read(self, attributes: Attributes) -> None:
        attributes.texts = tuple(label.admit(attributes.get(label.name)) for label in self.labels)
        attributes.key = (str.__str__(attributes.intent), *attributes.texts)
        attributes.read_by = self
        for name in attributes.keys() - {"intent", *self.names}:
            if name not in _told and len(_told) < _MOST_TOLD:
                _told.add(name)
                _log.warning(
                    "attributes(%s=…): there is no label %r, so it is left out; the labels are: %s. Name further ones "
                    "in fleetmeter.llm.configure(labels={…}) or FLEETMETER_LABELS",
                    name, name, ", ".join(("intent", *self.names)),
                )  # fmt: skip


def _text(value: object) -> str | None:
    """A value as a label's text; None if it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = int.__repr__(value) if abs(value) < 10**LONGEST else ""
    if not isinstance(value, str):
        return None
    text = str.__str__(value)  # a str Enum is labelled by its value
    if not 0 < len(text) <= LONGEST:
        return None
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return None
    return text
