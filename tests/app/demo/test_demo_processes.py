"""The demo's programs: what is said of one that fails, and how they are ended."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetmeter_app.demo import processes as processes_module
from fleetmeter_app.demo.addresses import Address, Addresses
from fleetmeter_app.demo.errors import DemoError, ProgramError
from fleetmeter_app.demo.guard import left_over
from fleetmeter_app.demo.processes import Processes, Program


@pytest.fixture
def processes() -> Iterator[Processes]:
    """A set of programs, ended after the test."""
    programs = Processes()
    yield programs
    programs.stop()


def python(code: str, name: str = "snake", order: int = 0) -> Program:
    """A program that never answers."""
    return Program(name, [sys.executable, "-c", code], {}, "127.0.0.1:1", "http://127.0.0.1:1/", order)


def test_a_program_that_ends_while_starting_is_named(processes: Processes) -> None:
    """Program, address, exit status and the last line of its log are in the message."""
    processes.start(python("import sys; sys.stderr.write('one\\n'); sys.exit('no such luck')"))
    with pytest.raises(ProgramError) as caught:
        asyncio.run(processes.ready())
    assert str(caught.value) == (
        "snake (127.0.0.1:1) ended by itself with exit status 1; the last line of its log: no such luck"
    )


def test_who_answers_is_told_at_once(processes: Processes) -> None:
    """A program that answers is told of, although one that was started before it does not answer yet."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    quick = Program("quick", [sys.executable, "-m", "http.server", str(port)], {}, "", f"http://127.0.0.1:{port}/")
    processes.start(python("import time; time.sleep(60)", "slow"))
    processes.start(quick)

    async def first_told() -> str:
        told: asyncio.Queue[str] = asyncio.Queue()
        ready = asyncio.create_task(processes.ready(told.put_nowait))
        first = await told.get()
        ready.cancel()
        return first

    assert asyncio.run(first_told()) == "quick"


def test_addresses_come_in_their_order() -> None:
    """A line is shown once its programs answer, and all lines above it are shown."""
    shown: list[str] = []
    lines = [
        Address("page", "a", frozenset({"page"})), Address("gateways", "b", frozenset({"one", "two"})),
        Address("text", "c"), Address("exporter", "d", frozenset({"exporter"})),
    ]  # fmt: skip
    addresses = Addresses(lines, shown.append)
    for program in ("two", "exporter", "page"):
        addresses.answers(program)
    assert shown == ["page         a"]
    addresses.answers("one")
    assert shown == ["page         a", "gateways     b", "text         c", "exporter     d"]


def test_a_dead_store_is_named(processes: Processes) -> None:
    """The store is watched like every other program."""
    processes.start_store()
    processes.check()
    assert processes._store_process is not None
    os.kill(processes._store_process.pid, signal.SIGKILL)
    processes._store_process.wait()
    with pytest.raises(ProgramError, match=r"^the store was ended by SIGKILL; the last line of its log: .+"):
        processes.check()


def test_a_program_that_is_not_there_is_named(processes: Processes) -> None:
    """A command that the system does not know is an error of the demo."""
    with pytest.raises(DemoError, match=r"^nothing cannot be started: .*No such file"):
        processes.start(Program("nothing", ["/no/such/program"], {}, "", ""))


def test_programs_get_only_the_environment_that_they_were_given(processes: Processes) -> None:
    """Nothing of the caller's environment leaks into a program."""
    processes.start(Program("env", [sys.executable, "-c", "import os; print(dict(os.environ))"], {"A": "b"}, "", ""))
    processes._children[0].process.wait()
    assert "PATH" in os.environ
    assert "PATH" not in processes._children[0].log.read_text()
    assert "'A': 'b'" in processes._children[0].log.read_text()


def test_stop_kills_what_does_not_listen(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that ignores SIGTERM gets SIGKILL after the grace period; the directory goes too."""
    monkeypatch.setattr(processes_module, "STOP_SECONDS", 0.2)
    processes.start(
        python("import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)")
    )
    child = processes._children[0]
    while "deaf" not in child.log.read_text():
        time.sleep(0.01)
    processes.stop()
    assert child.process.returncode == -signal.SIGKILL
    assert not processes.directory.exists()


def test_lower_orders_end_first(processes: Processes, tmp_path: Path) -> None:
    """A replica that hands over its last counts still finds everything of a higher order alive."""
    ended = tmp_path / "ended"
    code = (
        "import signal, sys, time\n"
        f"def end(*_):\n    time.sleep(0.1)\n    open({str(ended)!r}, 'a').write('NAME ')\n    sys.exit()\n"
        "signal.signal(15, end)\nprint('ready', flush=True)\ntime.sleep(60)\n"
    )
    for name, order in (("second", 1), ("first", 0)):
        processes.start(python(code.replace("NAME", name), name, order))
    for child in processes._children:
        while "ready" not in child.log.read_text():
            time.sleep(0.01)
    processes.stop()
    assert ended.read_text() == "first second "


def test_the_guard_ends_what_was_not_taken_back() -> None:
    """What the demo stopped and removed itself is none of the guard's business."""
    lines = ["+directory /a b\n", "+process 12\n", "+process 13\n", "-process 12\n", "+directory /c\n"]
    assert left_over([*lines, "-directory /a b\n"]) == ([13], ["/c"])
