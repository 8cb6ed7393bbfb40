"""Which of a writer's batches the store lacks for good: acknowledged, lost, and no longer kept for sending again."""


class Gaps:
    """Runs of numbers, in order. Numbers up to `excused` are nobody's loss: an operator began the namespace anew."""

    def __init__(self, runs: tuple[tuple[int, int], ...] = (), excused: int = 0, counted: int = 0) -> None:
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
        return Gaps((), base, 0) if deliberate else Gaps((), self._excused, self._counted)

    def up_to(self, number: int) -> int:
        """How many batches up to a number are lost."""
        return sum(min(last, number) - first + 1 for first, last in self._runs if first <= number)

    def newly_counted(self) -> int:
        """How many losses this adds to those that were counted before; they are counted now."""
        total = sum(last - first + 1 for first, last in self._runs)
        new, self._counted = max(0, total - self._counted), max(total, self._counted)
        return new
