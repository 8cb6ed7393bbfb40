"""Which of a writer's batches the store lacks for good: acknowledged, lost, and no longer kept for sending again."""

Runs = tuple[tuple[int, int], ...]
"""First and last number of each run, in order."""


class Gaps:
    """Runs of numbers that are lost. Those up to `excused` are nobody's loss: an operator began the namespace anew.

    `counted` are the numbers that were lost at any time: each is a loss once, also where a former life of the namespace
    comes back, in which others are missing.
    """

    def __init__(self, runs: Runs = (), excused: int = 0, counted: Runs = ()) -> None:
        self._runs = runs
        self._excused = excused
        self._counted = counted

    def with_gap(self, row: int, base: int) -> "Gaps":
        """These gaps once a store that is at `row` has been brought up to date by a log that begins after `base`."""
        runs = [(first, min(last, row)) for first, last in self._runs if first <= row]
        first = max(row, self._excused) + 1
        if first <= base:
            runs.append((first, base))
        return Gaps(tuple(runs), self._excused, self._counted)

    def anew(self, base: int, *, deliberate: bool) -> "Gaps":
        """The gaps in a namespace that began anew, which is given nothing up to `base`."""
        return Gaps((), base if deliberate else self._excused, self._counted)

    def up_to(self, number: int) -> int:
        """How many batches up to a number are lost."""
        return sum(min(last, number) - first + 1 for first, last in self._runs if first <= number)

    def newly_counted(self) -> int:
        """How many losses this adds to those that were counted before; they are counted now."""
        before = _length(self._counted)
        self._counted = _joined(self._counted + self._runs)
        return _length(self._counted) - before


def _length(runs: Runs) -> int:
    return sum(last - first + 1 for first, last in runs)


def _joined(runs: Runs) -> Runs:
    """The same numbers, each in one run only."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(runs):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)
