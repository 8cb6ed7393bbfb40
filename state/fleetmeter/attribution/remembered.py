"""What was found for label values and the values in force, remembered for as long as it is right."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from fleetmeter.attribution.context import Attributes, current_attributes
from fleetmeter.attribution.families import last_change, user_labels

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_MOST = 4096
"""Things that are remembered; when there are more, all are forgotten. One is a few kilobytes of pointers."""


class Remembered(Generic[K, V]):
    """Gives what `make` makes of a key, and of the admitted values of the user's own labels.

    A removed child is found anew: everything is forgotten when series are removed, and when the labels change.
    """

    def __init__(self, make: Callable[[K, Attributes], V], most: int = _MOST) -> None:
        self._make = make
        self._most = most
        self._state: tuple[object, dict[tuple[K, tuple[str, ...]], V]] = (last_change(), {})

    def known(self, key: K, attributes: Attributes) -> V | None:
        """The thing for a key under these values if it was found before and is still right; else None."""
        texts = user_labels().texts(attributes)
        change, known = self._state
        return known.get((key, texts)) if change is last_change() else None

    def find(self, key: K, attributes: Attributes | None = None) -> V:
        """The thing for a key under these values, or under those in force here."""
        labels = user_labels()
        texts = labels.texts(current_attributes() if attributes is None else attributes)
        change, known = self._state  # whoever is late writes into a dictionary that nobody reads any more
        if change is not last_change():
            change, known = self._state = last_change(), {}
        found = known.get((key, texts))
        if found is None:
            found = self._make(key, Attributes(zip(labels.names, texts, strict=True)))
            if len(known) >= self._most:
                known.clear()
            known[key, texts] = found
        return found
