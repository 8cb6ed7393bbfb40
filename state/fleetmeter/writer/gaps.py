"""Gaps: batches that are lost for good. The store acknowledged and lost them, and the log has them no more."""

Runs = tuple[tuple[int, int], ...]
"""First and last number of each run, in order."""


class Gaps:
    """The numbers of lost batches, each counted once.

    A batch stays one loss if a former life of the namespace comes back that lacks it too. Numbers up to `excused` are
    no loss: an operator began the namespace anew.
    """

    def __init__(self) -> None:
        self._counted: Runs = ()
        self._excused = 0

    def excuse(self, last: int) -> None:
        """Take the numbers up to `last` as deleted on purpose, so that they are never counted as lost."""
        self._excused = last

    def between(self, row: int, last: int) -> int:
        """How many batches after `row`, up to `last`, are a loss if the store lacks them."""
        return max(0, last - max(row, self._excused))

    def count(self, row: int, last: int) -> int:
        """Count the batches after `row`, up to `last`, as lost. Returns how many of them were not counted before."""
        first, before = max(row, self._excused) + 1, _length(self._counted)
        if first <= last:
            self._counted = _joined((*self._counted, (first, last)))
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
