"""A whole fleet around one store: writer processes, the exporter program, a scraper; and what they add up to."""

import random
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from chaos.hand import Hand
from chaos.ledger import difference, summed
from chaos.scraper import Scraper
from chaos.table import Result
from chaos.views import formats_of, rows_of, shown
from fleetmeter.reader.continuity import HOLD
from support.node import until
from support.processes import environment
from support.store import StoreAddress
from support.upstream import free_port

SETTLED_WITHIN = 60.0
"""Seconds within which the exporter has to show what the ledgers say, once all writers have handed over everything.

A writer finds out by its next heartbeat, 5 s later at most, that a store lost what it had acknowledged.
"""

RESTED_AFTER = 8.0
"""Seconds after which every writer that lives has sent again what the store lost, where nobody can tell by the sums."""

FORMATS = {"packed": ("packed",), "fields": ("fields",), "both": ("packed", "fields")}
"""What `numbers` may be, and the formats that writers then have, in turn."""

HASTE = 0.3
"""How often a fault does not wait until the fleet works again after the one before."""


class Fleet:
    """Writers, an exporter and a scraper, in a namespace of their own. Use it as a context manager.

    `url` is the store's address for everybody. `hold` is the exporter's, in seconds: with a short one it stops waiting
    for writers before they have sent again, and shows the larger of served and stored instead. `numbers` is one of
    `FORMATS`.
    """

    def __init__(self, url: str, writers: int = 3, seed: int = 0, hold: float = HOLD, numbers: str = "packed") -> None:
        self.address = StoreAddress(url, "chaos-" + secrets.token_hex(4))
        self._size = writers
        self._seed = seed
        self._hold = hold
        self._numbers = numbers
        self.port = free_port()
        """Where the exporter answers."""
        self._ends = ExitStack()
        self._writers: list[Hand] = []  # those that live, the oldest first
        self._everybody: list[Hand] = []
        self._exporter: subprocess.Popen[str] | None = None
        self.written_off = summed([])
        """What a store without persistence took with it."""

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            self._directory = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="fm-chaos-")))
            self._log = ends.enter_context((self._directory / "log").open("w+", encoding="utf-8"))
            ends.callback(self._kill_all)
            self._start_exporter()
            for _ in range(self._size):
                self._start_writer()
            for writer in self._writers:
                writer.wait_for("ready")
            self.scraper = ends.enter_context(Scraper(self.port))
            self._ends = ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()

    def work(self, dice: random.Random | None = None) -> None:
        """Wait until every writer has written since, and the scraper has seen that: what goes back then shows.

        With `dice` not always: now and then the next fault comes before everybody has got over the last one.
        """
        if dice is not None and dice.random() < HASTE:
            time.sleep(dice.uniform(0.0, 1.0))
            return
        since: int | None = None

        def everybody_wrote() -> bool:
            nonlocal since
            taken, rows = rows_of(self.address)
            since = (since or taken) or None
            return since is not None and sum(row.heartbeat_us > since for row in rows) >= self._size

        until("writers that all write", everybody_wrote, within=SETTLED_WITHIN)
        written = time.monotonic()
        until("a scrape", lambda: self.scraper.judge.latest_at > written or self.scraper.defect, within=SETTLED_WITHIN)

    def restart_exporter(self) -> None:
        """Let another exporter take the place of this one, which is killed."""
        assert self._exporter is not None
        self._exporter.kill()
        self._exporter.wait()
        self._start_exporter()

    def replace_oldest(self) -> None:
        """End the writer that has lived longest, under load, and start another."""
        self._end_oldest()
        self.start_another()

    def kill_oldest(self) -> None:
        """Kill the writer that has lived longest; what it had not handed over is lost with it."""
        self._writers.pop(0).kill()

    def start_another(self) -> None:
        """Start one more writer."""
        self._start_writer()
        self._writers[-1].wait_for("ready")

    def pause(self) -> None:
        """Let every writer hand over everything and record nothing more."""
        for writer in self._writers:
            writer.tell("pause")
        for writer in self._writers:
            writer.wait_for("paused")

    def go_on(self) -> None:
        """Let every writer record again."""
        for writer in self._writers:
            writer.tell("go")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let every writer be stopped where it is while the block runs: none sends a heartbeat, or anything again."""
        for writer in self._writers:
            writer.freeze()
        try:
            yield
        finally:
            for writer in self._writers:
                writer.thaw()

    def finish(
        self,
        scenario: str,
        faults: int,
        *,
        lost: int = 0,
        epochs: int = 1,
        met: Sequence[str] = (),
        may_lack: bool = False,
    ) -> Result:
        """Let everybody come to rest, then end the writers under load, and compare the exporter with the ledgers.

        `lost` and `epochs` are what has to be, `met` flush errors that writers must have met; `may_lack` says that
        writers were killed, so that the export may have less than the ledgers, and never more. A writer that is stuck
        raises `RuntimeError`.
        """
        patience = RESTED_AFTER if may_lack else SETTLED_WITHIN
        self.pause()
        self._settle(patience)
        self.go_on()
        time.sleep(1.0)
        while self._writers:
            self._end_oldest()
        exported = self._settle(patience)
        judge = self.scraper.judge
        if self.scraper.defect is not None:
            raise self.scraper.defect
        errors: Counter[str] = Counter()
        for writer in self._everybody:
            errors.update(writer.report["errors"])
        if formats_of(self.address) != set(FORMATS[self._numbers]):
            raise RuntimeError(f"the store has the formats {formats_of(self.address)}, and not {self._numbers}")
        ledger = self.ledger()
        export = summed([exported, self.written_off])
        return Result(
            scenario if self._numbers == "packed" else f"{scenario} ({self._numbers})",
            faults, ledger["records"], sum(ledger.values()), sum(export.values()),
            difference(ledger, export), sum(writer.report["lost"] for writer in self._everybody), lost, dict(errors),
            judge.scrapes, judge.blind, judge.decreases, judge.torn, judge.longest_hold, judge.epochs, epochs,
            tuple(met), may_lack,
        )  # fmt: skip

    def ledger(self) -> dict[str, int]:
        """What all writers have recorded."""
        return summed(writer.ledger.read() for writer in self._everybody)

    def _settle(self, patience: float) -> dict[str, int]:
        """What the exporter shows once it agrees with the ledgers, or when it ought to."""
        begun = time.monotonic()
        while True:
            judge = self.scraper.judge
            at, scrape = judge.latest_at, judge.latest
            found = shown(scrape) if scrape is not None and at > begun else None
            if found is not None and not difference(self.ledger(), summed([found, self.written_off])):
                return found
            if time.monotonic() > begun + patience:
                return found or summed([])
            time.sleep(0.05)

    def _end_oldest(self) -> None:
        """End the oldest writer: by SIGTERM where an even number is left, else by the end of its input."""
        self._writers.pop(0).end(by_signal=len(self._writers) % 2 == 0)

    def _start_exporter(self) -> None:
        address = ["--redis.url", self.address.url, "--namespace", self.address.namespace]
        self._exporter = subprocess.Popen(
            [
                sys.executable, "-m", "fleetmeter_exporter.main", *address,
                "--web.listen-address", f"127.0.0.1:{self.port}", "--hold", str(self._hold), "--log.level", "error",
            ],
            env=environment(self.address), stdin=subprocess.DEVNULL, stderr=self._log, text=True,
        )  # fmt: skip

    def _start_writer(self) -> None:
        number = len(self._everybody)
        formats = FORMATS[self._numbers]
        writer = Hand(
            self.address, self._directory, f"w{number}", self._seed + number, formats[number % len(formats)], self._log
        )
        self._everybody.append(writer)
        self._writers.append(writer)

    def _kill_all(self) -> None:
        for writer in self._everybody:
            writer.kill()
        if self._exporter is not None:
            self._exporter.kill()
            self._exporter.wait()
