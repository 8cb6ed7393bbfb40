"""Numbers below which nothing is shown, because that much was served already."""

from collections.abc import Iterable, Mapping

from fleetmeter.hashes import Hash

Numbers = Mapping[str, Mapping[bytes, bytes]]
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

    def without_new_sums(self, before: "Floors", stored: Numbers) -> "Floors":
        """These, but for sums that go down alone without a floor before: observations may be negative.

        A sum that the store lacks did not go down: it is gone, as every other number may be.
        """
        kept = {}
        for layout, group in self._numbers.items():
            had, here = before.numbers_of(layout), stored.get(layout, {})
            alone = all(number.endswith(b'"sum"]') for number in group)
            kept[layout] = (
                {number: text for number, text in group.items() if number in had or number not in here}
                if alone
                else group
            )
        return Floors(kept)

    def numbers_of(self, layout: str) -> Mapping[bytes, bytes]:
        """The floors of one layout."""
        return self._numbers.get(layout, {})

    def raised(self, stored: Numbers) -> Numbers:
        """The stored numbers, none of them below its floor."""
        raised = dict(stored)
        for layout, group in self._numbers.items():
            raised[layout] = {**raised.get(layout, {}), **group}
        return raised


def lost_numbers(served: Numbers, stored: Numbers) -> Floors:
    """Every served number that the store is below, or lacks, or holds something else in the place of."""
    return Floors({layout: Hash.of(stored.get(layout, {})).below(Hash.of(group)) for layout, group in served.items()})
