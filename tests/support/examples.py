"""The programs of docs/examples, as processes of their own."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.processes import PATIENCE, environment, eventually
from support.store import StoreAddress

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


class Program:
    """An example that runs, and writes its ledger into a file: a line with a number for each job that is done.

    It hands over only when asked to or when it ends: the flush interval is as long as a test may take.
    """

    def __init__(
        self, store: StoreAddress, ledger: Path, words: Sequence[str], python: Sequence[str], variables: dict[str, str]
    ) -> None:
        self.ledger = ledger
        environ = environment(store, FLEETMETER_FLUSH_INTERVAL="600", **variables)
        with ledger.open("ab") as file:
            self.process = subprocess.Popen([*python, *words], cwd=EXAMPLES, env=environ, stdout=file)

    @property
    def done(self) -> int:
        """The jobs that are written down."""
        return sum(line.isdecimal() for line in self.ledger.read_text().splitlines())

    def do(self, jobs: int) -> None:
        """Return once at least so many jobs are done."""
        assert eventually(lambda: self.done >= jobs)

    def terminate(self) -> int:
        """Tell the program to end; the status that it ended with."""
        self.process.terminate()
        return self.process.wait(PATIENCE)


@contextmanager
def running(
    store: StoreAddress, ledger: Path, *words: str, python: Sequence[str] = (sys.executable,), **variables: str
) -> Iterator[Program]:
    """A program that runs; it is killed at the end if it still lives."""
    program = Program(store, ledger, words, python, variables)
    with program.process as process:
        try:
            yield program
        finally:
            process.kill()


def unaware(example: str, folder: Path) -> Path:
    """A copy of an example, in that folder, without its lines of fleetmeter's."""
    lines = (EXAMPLES / example).read_text().splitlines(keepends=True)
    path = folder / example
    path.write_text("".join(line for line in lines if not line.startswith(("import fleetmeter", "fleetmeter."))))
    return path
