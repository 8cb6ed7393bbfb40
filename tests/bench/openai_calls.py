"""What counting adds to a call of the openai SDK, and to a chunk of a stream: ours beside its peers', and none.

CPU time of the process, answers from inside it. Each way has an environment of its own with the same SDK, and a
process that lives for the whole benchmark. They take turns, a few milliseconds each, in an order that moves on, so that
whatever else the machine does meets all of them alike. Each call is timed by itself, and of a turn the fastest one
counts: it was disturbed least. What counting adds is the median, over the turns, of the difference to the same turn
without counting: how busy the machine was at that moment is in both. What a chunk costs is the difference of a long
stream and a short one, so that nothing of opening and ending a stream is in it. What threads do between the turns
(spans that are sent, batches for the store) is shown by itself: the median, for each call.

`BEFORE=FOLDER` names the `state` folder of another checkout, which is measured beside.
"""

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from bench.tables import judged, show
from fleetmeter.embedded import EmbeddedStore
from matrix.calls import PROGRAMS
from matrix.environments import ROOT, Environments, InstallFailed

SDK = "openai==3.54.0"
OURS = (SDK, "genai-prices")
WAYS = {
    "none": OURS,
    "fleetmeter": OURS,
    "fleetmeter, installed": OURS,
    "fleetmeter before": OURS,
    "openllmetry": (SDK, "opentelemetry-instrumentation-openai==0.62.4", "opentelemetry-sdk"),
    "langfuse": (SDK, "langfuse==5.0.4"),
    "opentelemetry": (SDK, "opentelemetry-instrumentation-openai-v2==2.4b0", "opentelemetry-sdk", "httpx"),
}
COUNTED = ("fleetmeter", "fleetmeter, installed")
"""Both have to meet the targets: metrics of this process alone, and of a fleet."""
PEERS = ("openllmetry", "langfuse", "opentelemetry")
TURNS, SECONDS = 300, 300.0
"""Turns of each way, and the time after which no more are taken."""
SHORT, LONG = 10, 60
"""Chunks of the streams, as the program has them."""
_PATIENCE = 120.0
"""Seconds in which a process has begun, or measured one slice."""


class Way:
    """A process that counts in one way, and measures a slice whenever it is asked."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        self.name = name
        self._process = process
        self._found: dict[str, list[float]] = {}

    def take_turn(self) -> None:
        """Measure one slice. Raises `RuntimeError` if the process has ended."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write("\n")
            stdin.flush()
        except OSError:
            pass  # it has ended, and says why
        line = stdout.readline()
        if not line:
            assert self._process.stderr is not None
            raise RuntimeError((self._process.stderr.read().strip().splitlines() or ["it ended"])[-1])
        for what, values in json.loads(line).items():
            self._found.setdefault(what, []).append(min(values))

    def begin_anew(self) -> None:
        """Forget the first turns, in which everything is slow."""
        self._found = {}

    @property
    def calls(self) -> list[float]:
        """Microseconds of a call, in each turn."""
        return self._found["call"]

    @property
    def chunks(self) -> list[float]:
        """Microseconds of a chunk, in each turn."""
        both = zip(self._found["long"], self._found["short"], strict=True)
        return [(long - short) / (LONG - SHORT) for long, short in both]

    @property
    def behind(self) -> float:
        """Microseconds that its threads take between the turns, for each call of one."""
        return statistics.median(self._found["behind"])


def main() -> None:
    """Print the table."""
    troubles: list[str] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fm-bench-", dir="/tmp")))
        store = stack.enter_context(EmbeddedStore())
        environments = Environments(folder)
        ways: list[Way] = []
        for name, packages in WAYS.items():
            if name == "fleetmeter before" and "BEFORE" not in os.environ:
                continue
            try:
                python = environments.with_packages(packages) / "python"
                way = stack.enter_context(_running(python, name, store.url))
                way.take_turn()
            except (InstallFailed, RuntimeError) as error:
                troubles.append(f"{name} did not run: {str(error).strip()[-200:]}")
                continue
            ways.append(way)
        for way in ways:
            way.begin_anew()
        turns, until = 0, monotonic() + SECONDS
        while turns < TURNS and (turns < 2 or monotonic() < until):
            for place in range(len(ways)):
                ways[(turns + place) % len(ways)].take_turn()
            turns += 1
        troubles.append(f"{turns} turns of {TURNS}")
    _print({way.name: way for way in ways}, troubles)


@contextmanager
def _running(python: Path, way: str, url: str) -> Iterator[Way]:
    state = os.environ["BEFORE"] if way == "fleetmeter before" else str(ROOT / "state")
    environ = {**os.environ, "PYTHONPATH": state, "FLEETMETER_REDIS_URL": url}
    with subprocess.Popen(
        [str(python), str(PROGRAMS / "bench_openai.py"), way],
        env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield Way(way, process)
        finally:
            process.kill()


def _added(counted: list[float], stock: list[float]) -> float:
    """What counting adds: the median of the differences to the same turn without it."""
    return statistics.median(ours - theirs for ours, theirs in zip(counted, stock, strict=True))


def _print(ways: dict[str, Way], troubles: list[str]) -> None:
    stock = ways["none"]
    added: dict[str, dict[str, float]] = {
        name: {"call": _added(way.calls, stock.calls), "chunk": _added(way.chunks, stock.chunks)}
        for name, way in ways.items()
    }
    rows = [
        [
            *(name, f"{statistics.median(way.calls):.0f}", f"{added[name]['call']:.0f}"),
            *(f"{statistics.median(way.chunks):.2f}", f"{added[name]['chunk']:.2f}", f"{way.behind:.0f}"),
        ]
        for name, way in ways.items()
    ]
    ours = {what: max(added[name][what] for name in COUNTED) for what in ("call", "chunk")}
    notes = [judged("µs added to a call", ours["call"], 100), judged("µs added to a chunk", ours["chunk"], 5)]
    peers: list[Any] = [added[name] for name in PEERS if name in added]
    for what in ("call", "chunk"):
        if peers:
            least = min(peer[what] for peer in peers)
            notes.append(judged(f"share of the best peer, {what}", ours[what] / least, 0.25))
    head = ("counted by", "a call", "added", "a chunk", "added", "behind")
    show("CPU time in microseconds", head, rows, [*notes, *troubles])
