"""One writer process as a scenario sees it: started, told what to do, ended or killed."""

import json
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from chaos.ledger import Ledger
from support.processes import environment
from support.store import StoreAddress

_TESTS = Path(__file__).parent.parent

STUCK_AFTER = 130.0
"""Seconds after which a writer that does not do what it was told counts as stuck."""


class Hand:
    """A process of `chaos.writer` with a ledger in a directory. What it has to say of itself goes to `log`.

    `numbers` is how the store keeps what it adds, as in `install`.

    Every method raises `RuntimeError` for a writer that is stuck, or says or does something else than it should.
    """

    def __init__(
        self, address: StoreAddress, directory: Path, name: str, seed: int, numbers: str, log: IO[str]
    ) -> None:
        path = directory / f"ledger-{name}"
        self.ledger = Ledger(path)
        self.report: dict[str, Any] = {"lost": 0, "errors": {}}
        """What its own metrics said at its end; nothing of one that was killed."""
        self._log = log
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.writer", str(path), name, str(seed)],
            env=environment(address, PYTHONPATH=str(_TESTS), FLEETMETER_NUMBERS=numbers),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout

    def wait_for(self, word: str) -> None:
        """Wait until it says this."""
        line = self._line()
        if line != word:
            raise self._wrong(f"says {line!r}, not {word!r}")

    def tell(self, order: str) -> None:
        """Give it an order."""
        self._in.write(order + "\n")
        self._in.flush()

    def end(self, *, by_signal: bool) -> None:
        """End it, by SIGTERM or by the end of its input; its report is there afterwards."""
        if by_signal:
            self._process.send_signal(signal.SIGTERM)
        else:
            self._in.close()
        self.report = json.loads(self._line() or "{}")
        if self._process.wait(STUCK_AFTER) != 0:
            raise self._wrong(f"ended with status {self._process.returncode}")

    def freeze(self) -> None:
        """Stop it where it is."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it, if it still lives."""
        self._process.kill()
        self._process.wait()
        self._in.close()
        self._out.close()

    def _line(self) -> str:
        if not select.select([self._out], [], [], STUCK_AFTER)[0]:
            raise self._wrong("is stuck")
        return self._out.readline().strip()

    def _wrong(self, what: str) -> RuntimeError:
        self._log.flush()
        return RuntimeError(f"a writer {what}: {Path(self._log.name).read_text(encoding='utf-8')[-2000:]}")
