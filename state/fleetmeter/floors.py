"""Numbers below which nothing is shown, because that much was served already."""

from collections.abc import Iterable, Mapping

from fleetmeter.removals import Removed
from fleetmeter.scale import parse_number

Numbers = Mapping[str, dict[bytes, bytes]]
"""Raw numbers by the family's field in `families`, then by their own field."""


class Floors:
    """Served numbers that the store is below, or lacks."""

    def __init__(self, numbers: Numbers | None = None) -> None:
        self._numbers = {layout: group for layout, group in (numbers or {}).items() if group}

    @property
    def count(self) -> int:
        """How many numbers the store is behind with."""
        return sum(map(len, self._numbers.values()))

    @property
    def families(self) -> Iterable[str]:
        """The layouts that have such numbers."""
        return self._numbers.keys()

    def after(self, removed: Removed) -> "Floors":
        """The floors that are left after removals: what was removed on purpose may go."""
        return Floors(removed.taken_from(self._numbers)) if removed else self

    def above(self, stored: Numbers) -> "Floors":
        """The floors that the store has not caught up with yet."""
        return lost_numbers(self._numbers, stored) if self._numbers else self

    def raised(self, stored: Numbers) -> dict[str, dict[bytes, bytes]]:
        """The stored numbers, none of them below its floor."""
        raised = dict(stored)
        for layout, group in self._numbers.items():
            raised[layout] = {**raised.get(layout, {}), **group}
        return raised


def lost_numbers(served: Numbers, stored: Numbers) -> Floors:
    """Every served number that the store is below, or lacks."""
    lost = {}
    for layout, group in served.items():
        now = stored.get(layout, {})
        if now != group:
            lost[layout] = {number: text for number, text in group.items() if _below(now.get(number), text)}
    return Floors(lost)


def shrunk(served: Numbers, stored: Numbers) -> bool:
    """Whether a family lost numbers, or began anew, without a word: as when its key was evicted, or deleted by hand.

    It looks at one number of each family only, for its cost; whoever takes single fields away by hand can hide them.
    """
    return any(
        len(stored.get(layout, ())) < len(group) or _began_anew(group, stored[layout])
        for layout, group in served.items()
        if group
    )


def _began_anew(served: dict[bytes, bytes], stored: dict[bytes, bytes]) -> bool:
    witness = next((number for number in served if not number.endswith(b'"sum"]')), None)  # sums may well go down
    return witness is not None and _below(stored.get(witness), served[witness])


def _below(stored: bytes | None, served: bytes) -> bool:
    if stored is None:
        return True
    if stored == served:
        return False
    try:
        return parse_number(stored) < parse_number(served)
    except ValueError:
        return False  # what cannot be read is for the scrape to tell
