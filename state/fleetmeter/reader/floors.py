"""Numbers below which nothing is shown, because that much was served already."""

from collections.abc import Iterable, Mapping

from fleetmeter.reader.hashes import Hash
from fleetmeter.reader.numbers import Numbers
from fleetmeter.schema.definition import series_key


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

    def without_new_sums(self, before: "Floors", served: Numbers, stored: Numbers) -> "Floors":
        """These, but for sums that went down alone, by new observations, without a floor before: some may be negative.

        A sum that the store lacks, or that is lower though its series was observed no more often, is lost.
        """
        kept = dict(self._numbers)
        for layout, group in self._numbers.items():
            if not all(number.endswith(b'"sum"]') for number in group):
                continue
            had, here = before.numbers_of(layout), stored.get(layout, {})
            observed = _observed(served[layout], here)
            kept[layout] = {
                number: text
                for number, text in group.items()
                if number in had or number not in here or series_key(number, has_part=True) not in observed
            }
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


def _observed(served: Mapping[bytes, bytes], stored: Mapping[bytes, bytes]) -> set[bytes]:
    """The series of which another number than the sum is not as it was served."""
    return {
        series_key(number, has_part=True)
        for number, text in stored.items()
        if text != served.get(number) and not number.endswith(b'"sum"]')
    }
