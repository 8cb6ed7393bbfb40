"""How a benchmark shows its figures: one table, and whether a target was met."""

import os
from collections.abc import Sequence


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> None:
    """Print a table whose first column is text and whose others are figures, with notes below it."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    print(title)
    for line in lines:
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        print("  " + "  ".join(cells))
    for note in notes:
        print(f"  {note}")


def judged(what: str, value: float, limit: float) -> str:
    """A target beside its figure, and whether it was met."""
    return f"target: {what} ≤ {limit:g}: {value:.2f}, {'met' if value <= limit else 'missed'}"


def machine() -> str:
    """How many processors there are, and how busy they are with other things."""
    return f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f} before the run"
