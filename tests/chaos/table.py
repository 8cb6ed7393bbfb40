"""What came of the scenarios, one row each."""

from collections.abc import Iterable
from dataclasses import dataclass

_HEADINGS = (
    "scenario", "faults", "records", "ledger sum", "export sum", "diff", "lost", "sent again", "scrapes", "blind",
    "decr", "torn", "hold s",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """One scenario. Sums are over all numbers of all writers: counts, buckets, nano-dollars, microseconds.

    `written_off` is in both: what a store without persistence had when it was killed. `lost` are the batches that
    writers counted as lost, `lost_expected` how many had to be. `errors` are the writers' flush errors by reason, `met`
    the reasons that must be among them. With `may_lack` the export may have less than the ledgers. `watched` is what a
    real Prometheus found wrong, where one watched.
    """

    scenario: str
    faults: int
    records: int
    ledger_sum: int
    export_sum: int
    differences: dict[str, int]
    lost: int
    lost_expected: int
    errors: dict[str, int]
    scrapes: int
    blind: int
    decreases: list[str]
    torn: list[str]
    longest_hold: float
    epochs: int
    epochs_expected: int
    met: tuple[str, ...] = ()
    may_lack: bool = False
    watched: tuple[str, ...] = ()

    @property
    def problems(self) -> list[str]:
        """Everything that must not be, in words."""
        found = [
            f"{name}: the ledgers have {more:+d} against the export"
            for name, more in self.differences.items()
            if more < 0 or not self.may_lack
        ]
        if self.lost != self.lost_expected:
            found.append(f"{self.lost} batches counted as lost, {self.lost_expected} were")
        if self.epochs != self.epochs_expected:
            found.append(f"{self.epochs} epochs seen, {self.epochs_expected} expected")
        if self.errors.get("internal"):
            found.append(f"{self.errors['internal']} unexpected errors in flush threads")
        found += [f"Prometheus: {text}" for text in self.watched]
        found += [f"decrease: {text}" for text in self.decreases[:5]]
        found += [f"torn: {text}" for text in self.torn[:5]]
        found += [
            f"no writer met {reason!r}: the faults did nothing" for reason in self.met if not self.errors.get(reason)
        ]
        return found

    def cells(self) -> tuple[str, ...]:
        """The row as it is printed."""
        again = sum(self.errors.get(reason, 0) for reason in ("behind", "unknown", "epoch"))
        numbers = (
            self.faults, self.records, self.ledger_sum, self.export_sum, sum(map(abs, self.differences.values())),
            self.lost, again, self.scrapes, self.blind, len(self.decreases), len(self.torn),
        )  # fmt: skip
        return (self.scenario, *(f"{number:,}" for number in numbers), f"{self.longest_hold:.1f}")


def table(results: Iterable[Result]) -> str:
    """All rows under their headings, then each scenario's flush errors and problems."""
    results = list(results)
    rows = [_HEADINGS, *(result.cells() for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [
        "  ".join(_aligned(cell, width, at) for at, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    for result in results:
        errors = ", ".join(f"{reason} {count}" for reason, count in sorted(result.errors.items()))
        lines.append(f"{result.scenario}: flush errors: {errors or 'none'}")
        lines += [f"{result.scenario}: PROBLEM: {problem}" for problem in result.problems]
    return "\n".join(lines)


def _aligned(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column else cell.ljust(width)
