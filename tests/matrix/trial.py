"""One row of the table: the software at work, told to end under load, and what came of it."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from fleetmeter.embedded import EmbeddedStore
from matrix.environments import ROOT, Environments
from matrix.software import Row
from support.exposition import total
from support.load import Service, free_port, service
from support.processes import environment, eventually, fleet
from support.store import StoreAddress

PROGRAMS = Path(__file__).parent / "programs"
JOBS, REQUESTS = 200, 100
PATIENCE = 180.0
"""Seconds after which software counts as hanging."""
IN_FLIGHT = 8
"""Records that may be in the export and not in the ledger: a process ended between the two, in each of its threads."""


@dataclass(frozen=True)
class Result:
    """What the ledger has, what the exporter shows, and how many writers look alive though all are gone."""

    ledger: int
    exported: int
    living: int

    def verdict(self, loss: float) -> str:
        """In a word."""
        if self.ledger == 0:
            return "NOTHING RAN"
        if self.ledger <= self.exported <= self.ledger + IN_FLIGHT:
            return "exact"
        if self.exported > self.ledger:
            return f"{self.exported - self.ledger} TOO MANY"
        lost = self.ledger - self.exported
        return f"lost {lost}, in the limits" if lost <= loss * self.ledger else f"LOST {lost}"


def run(row: Row, environments: Environments, store: EmbeddedStore, address: StoreAddress, folder: Path) -> Result:
    """Try it. Raises `InstallFailed`, and `AssertionError` with the software's own words where it does not start."""
    binaries = environments.with_packages(row.packages)
    words = [word.replace("STORE", store.url).replace("NAME", address.namespace) for word in row.command.split()]
    words = [word.replace("unix_signal:15,", "unix_signal:15 ") for word in words]
    command = [str(binaries / words[0]), *words[1:]]
    variables = {
        **row.variables,
        "BROKER": store.url,
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT / 'state'}:{PROGRAMS}",
        "PYTHONWARNINGS": "",
    }
    if row.service:
        _serve(row, command, address, folder, variables)
    else:
        _work(row, command, address, folder, variables, binaries)
    ledger = folder / "ledger"
    samples = fleet(address)
    client = address.client()
    rows = client.hgetall(address.keys.writers)
    client.close()
    living = sum(text.split()[3] != b"goodbye" for field, text in rows.items() if not field.startswith(b"@"))
    written = ledger.stat().st_size if ledger.exists() else 0
    return Result(written, int(total(samples, row.counter)), living)


def _serve(row: Row, command: list[str], address: StoreAddress, folder: Path, variables: dict[str, str]) -> None:
    """Ask, then end the software while it is asked on, or after that."""
    with service(command, address, folder, variables=variables, cwd=PROGRAMS) as running:
        assert eventually(lambda: _answers(running), PATIENCE), (folder / "output").read_text()
        name, _, after = row.signal.partition(" ")
        with running.load():
            assert eventually(lambda: running.written >= REQUESTS, PATIENCE), (folder / "output").read_text()
            if not after:
                _end(row, running.process, name)
        if after:
            _end(row, running.process, name)


def _answers(running: Service) -> bool:
    try:
        return running.ask(1) == 1
    except OSError:
        return False


def _work(
    row: Row, command: list[str], address: StoreAddress, folder: Path, variables: dict[str, str], binaries: Path
) -> None:
    """Let jobs be done, all of them or half of them, and end the software."""
    ledger = folder / "ledger"
    environ = environment(address, LEDGER=str(ledger), **variables)
    if row.queue:
        jobs = str(JOBS // 10 if row.queue == "rq" else JOBS)
        enqueue = [str(binaries / "python"), str(PROGRAMS / f"matrix_{row.queue}.py"), jobs, address.namespace]
        subprocess.run(enqueue, env={**environ, "LEDGER": os.devnull}, cwd=PROGRAMS, check=True, timeout=PATIENCE)
    with (folder / "output").open("ab") as output:
        process = subprocess.Popen(
            command, env=environ, cwd=PROGRAMS, stdout=output, stderr=output, start_new_session=True
        )
    with process:
        try:
            if row.queue and "--burst" not in command:
                half = eventually(lambda: ledger.exists() and ledger.stat().st_size >= JOBS // 2, PATIENCE)
                assert half, (folder / "output").read_text()
                _end(row, process, row.signal)
            process.wait(PATIENCE)
        finally:
            _signal_group(process.pid, signal.SIGKILL)


def _end(row: Row, process: "subprocess.Popen[bytes]", name: str) -> None:
    number = signal.Signals[f"SIG{name}"]
    if row.whole_group:
        _signal_group(process.pid, number)
    else:
        process.send_signal(number)
    process.wait(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while _group_lives(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)


def _group_lives(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


def _signal_group(leader: int, number: int) -> None:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return


def store_for_all(folder: Path) -> EmbeddedStore:
    """A store that is also the broker; not every runner can use a unix socket."""
    return EmbeddedStore(folder, port=free_port())
