"""Gives families to promtool, many at once: a process per family would take longer than all the rest."""

import re
import subprocess
from collections.abc import Iterable

from fleetmeter_exporter.exposition.own_metrics import OWN_NAMES
from fuzz.comparison import Chunk, Different

_LINE = re.compile(r"(# (?:HELP|TYPE) )?(?=.)")

LINT, SYNTAX = 3, 1
"""Exit statuses of `promtool check metrics`: advice, which random names deserve, and text that it cannot read."""


class Promtool:
    """Texts that wait for promtool. `program` is its path; `families` is how many it was given."""

    def __init__(self, program: str, most: int = 2000) -> None:
        self._program = program
        self._most = most
        self._lines: list[str] = []
        self._waiting = 0
        self.families = 0

    def add(self, chunks: Iterable[Chunk]) -> None:
        """Keep families of the text format, each under a name of its own, and have them checked when many wait."""
        for chunk in chunks:
            if chunk.metric.name not in OWN_NAMES:
                prefix = rf"\g<1>f{self._waiting}_"
                self._lines += [_LINE.sub(prefix, line, count=1) for line in (*chunk.head, *chunk.lines)]
                self._waiting += 1
        if self._waiting >= self._most:
            self.check()

    def check(self) -> None:
        """Have promtool read what waits; raises `Different` where it cannot."""
        text = "".join(f"{line}\n" for line in self._lines)
        done = subprocess.run(
            [self._program, "check", "metrics"], input=text.encode(), capture_output=True, check=False
        )
        problem = done.stderr.decode("utf-8", "replace")
        if done.returncode not in (0, LINT) or "error while linting" in problem:
            place = re.search(r"in line (\d+)", problem)
            shown = self._lines[int(place[1]) - 1] if place else text[:1000]
            raise Different(f"promtool says {problem.splitlines()[-1:]} to {shown!r}")
        self.families += self._waiting
        self._lines, self._waiting = [], 0
