"""What a gateway adds to a call: direct, ours, LiteLLM with its Prometheus callback, Portkey, in one run.

Each way is one process (LiteLLM one worker), asked by wrk over 1 and 32 connections, for plain answers and for streams
of 22 chunks, whose upstream answers from memory. CPU is that of the gateway's processes. Ours routes by rules, looks
into the cache, keeps the answer, and accounts for every call, in a store of its own; no question comes twice.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.processes import free_port, megabytes
from bench.tables import judged, show
from fleetmeter.embedded import EmbeddedStore
from matrix.environments import Environments, InstallFailed

LITELLM = ("litellm[proxy]==1.108.7",)
PORTKEY = "@portkey-ai/gateway"
SECONDS = float(os.environ.get("BENCH_SECONDS", "6"))
_START_SECONDS = 300.0
_KEY = "sk-bench"
_QUESTION = "What is the price of NVDA today, and why did it change?"


@dataclass(frozen=True)
class Way:
    """One way to the upstream: its base URL, headers, and the process whose CPU counts, if there is one."""

    name: str
    url: str
    headers: dict[str, str]
    pid: int | None
    model: str = "gpt-6-luna"


@dataclass(frozen=True)
class Figures:
    """What one run of wrk showed; times in milliseconds."""

    requests: float
    p50: float
    p99: float
    cpu: float
    errors: int


def main() -> None:
    """Print the tables."""
    troubles: list[str] = []
    found: dict[tuple[str, bool, int], Figures] = {}
    memory: dict[str, float] = {}
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("wrk is missing: apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="fm-bench-", dir="/tmp") as folder, ExitStack() as stack:
        place = Path(folder)
        port = free_port()
        stack.enter_context(_process([sys.executable, "-m", "bench.canned_upstream", str(port)], place, {}))
        upstream = f"http://127.0.0.1:{port}/v1"
        makers: dict[str, Callable[[ExitStack, Path, str], Way]] = {
            "direct": lambda _stack, _place, upstream: Way("direct", upstream, {}, None),
            "fleetmeter": _ours,
            "litellm": _litellm,
            "portkey": _portkey,
        }
        for name, make in makers.items():
            with ExitStack() as one:
                try:
                    way = make(one, place, upstream)
                    _wait(way)
                except (InstallFailed, RuntimeError, OSError) as error:
                    troubles.append(f"{name} did not run: {str(error).strip()[-300:]}")
                    continue
                for stream in (False, True):
                    for connections in (1, 32):
                        found[name, stream, connections] = _measured(wrk, place, way, stream, connections)
                memory[name] = 0.0 if way.pid is None else sum(megabytes(pid)[0] for pid in _family(way.pid))
    _print(found, memory, troubles)


def _print(found: dict[tuple[str, bool, int], Figures], memory: dict[str, float], troubles: list[str]) -> None:
    for stream in (False, True):
        rows = []
        for name in memory:
            for connections in (1, 32):
                figures = found[name, stream, connections]
                direct = found["direct", stream, connections]
                rows.append(
                    [
                        f"{name}, {connections}",
                        f"{figures.requests:.0f}",
                        f"{figures.cpu:.2f}",
                        f"{figures.p50 - direct.p50:.2f}",
                        f"{figures.p99 - direct.p99:.2f}",
                        f"{memory[name]:.0f}",
                        str(figures.errors),
                    ]
                )
        notes = _notes(found, memory, stream) if "fleetmeter" in memory else []
        title = f"{'streams of 22 chunks' if stream else 'plain answers'}, by way and connections; ms, MB"
        head = ("way", "requests/s", "CPU/request", "added p50", "added p99", "memory", "errors")
        show(title, head, rows, [*notes, *troubles])


def _notes(found: dict[tuple[str, bool, int], Figures], memory: dict[str, float], stream: bool) -> list[str]:
    ours = found["fleetmeter", stream, 32].cpu
    notes = []
    if "litellm" in memory:
        share = found["litellm", stream, 32].cpu / (15 if stream else 10)
        notes.append(judged(f"ms of CPU, a {'fifteenth' if stream else 'tenth'} of LiteLLM's", ours, round(share, 2)))
    if "portkey" in memory:
        notes.append(judged("ms of CPU, Portkey's", ours, round(found["portkey", stream, 32].cpu, 2)))
    if not stream:
        one = found["fleetmeter", False, 1].p50 - found["direct", False, 1].p50
        notes.append(judged("ms added at p50 with one connection", one, 2))
        notes.append(judged("MB of memory", memory["fleetmeter"], 110))
    return notes


def _ours(stack: ExitStack, place: Path, upstream: str) -> Way:
    store = stack.enter_context(EmbeddedStore())
    port = free_port()
    environ = {"OPENAI_API_KEY": _KEY, "OPENAI_BASE_URL": upstream, "FLEETMETER_REDIS_URL": store.url}
    process = stack.enter_context(
        _process([sys.executable, "-m", "fleetmeter_app.main", "--port", str(port)], place, environ)
    )
    return Way("fleetmeter", f"http://127.0.0.1:{port}/v1", {}, process.pid, model="auto")


def _litellm(stack: ExitStack, place: Path, upstream: str) -> Way:
    ready = os.environ.get("BENCH_LITELLM")  # the `bin` of an environment that has it already
    programs = Path(ready) if ready else Environments(place).with_packages(LITELLM)
    config = place / "litellm.yaml"
    config.write_text(
        f"model_list:\n  - model_name: gpt-6-luna\n    litellm_params:\n      model: openai/gpt-6-luna\n"
        f"      api_base: {upstream}\n      api_key: {_KEY}\n"
        f'litellm_settings:\n  callbacks: ["prometheus"]\ngeneral_settings:\n  master_key: {_KEY}\n',
        encoding="utf-8",
    )
    port = free_port()
    command = [str(programs / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    process = stack.enter_context(_process([*command, "--num_workers", "1"], place, {"LITELLM_LOG": "ERROR"}))
    return Way("litellm", f"http://127.0.0.1:{port}/v1", {"authorization": f"Bearer {_KEY}"}, process.pid)


def _portkey(stack: ExitStack, place: Path, upstream: str) -> Way:
    ready = os.environ.get("BENCH_PORTKEY")  # the folder that it is installed in
    folder = Path(ready) if ready else place
    if not ready:
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError("npm is missing")
        done = subprocess.run([npm, "install", PORTKEY], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
    port = free_port()
    server = folder / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    command = ["node", str(server), "--headless", f"--port={port}"]
    process = stack.enter_context(_process(command, place, {"NODE_ENV": "production"}))
    headers = {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": upstream,
        "authorization": f"Bearer {_KEY}",
    }
    return Way("portkey", f"http://127.0.0.1:{port}/v1", headers, process.pid)


@contextmanager
def _process(command: list[str], place: Path, environ: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    with (place / f"{time.monotonic_ns()}.log").open("w+b") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **environ}, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _body(way: Way, *, stream: bool) -> str:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": _QUESTION}]
    document = {"model": way.model, "messages": messages, "stream": stream}
    return json.dumps(document if stream else {key: value for key, value in document.items() if key != "stream"})


def _wait(way: Way) -> None:
    """Wait until a call goes through."""
    deadline = time.monotonic() + _START_SECONDS
    said = ""
    while time.monotonic() < deadline:
        try:
            response = httpx.post(
                f"{way.url}/chat/completions",
                content=_body(way, stream=False),
                headers={"content-type": "application/json", **way.headers},
                timeout=10,
            )
        except httpx.TransportError as error:
            said = str(error)
        else:
            if response.is_success:
                return
            said = response.text
        time.sleep(0.2)
    raise RuntimeError(f"no call went through: {said}")


def _measured(wrk: str, place: Path, way: Way, stream: bool, connections: int) -> Figures:
    script = place / "request.lua"
    headers = "".join(
        f'wrk.headers["{name}"] = "{value}"\n'
        for name, value in {"content-type": "application/json", **way.headers}.items()
    )
    begin, _, end = _body(way, stream=stream).partition(_QUESTION)
    script.write_text(
        f'wrk.method = "POST"\n{headers}local number = os.time() * 100000\n'
        "request = function()\n  number = number + 1\n"  # no question comes twice: a cache looks, and never finds
        f"  return wrk.format(nil, nil, nil, [[{begin}{_QUESTION} ]] .. number .. [[{end}]])\nend\n",
        encoding="utf-8",
    )
    command = [wrk, "-t1", f"-c{connections}", "--latency", "-s", str(script), f"{way.url}/chat/completions"]
    subprocess.run([*command, "-d2s"], capture_output=True, check=True)  # to warm up
    before = _cpu(way.pid)
    output = subprocess.run([*command, f"-d{SECONDS:g}s"], capture_output=True, text=True, check=True).stdout
    used = _cpu(way.pid) - before
    return _figures(output, used)


def _figures(output: str, cpu_seconds: float) -> Figures:
    requests = int(re.search(r"([0-9]+) requests in", output)[1])  # type: ignore[index]
    errors = re.search(r"Non-2xx or 3xx responses: ([0-9]+)", output)
    return Figures(
        float(re.search(r"Requests/sec: +([0-9.]+)", output)[1]),  # type: ignore[index]
        _milliseconds(output, "50"),
        _milliseconds(output, "99"),
        1000 * cpu_seconds / max(requests, 1),
        int(errors[1]) if errors else 0,
    )


def _milliseconds(output: str, percent: str) -> float:
    found = re.search(rf"{percent}% +([0-9.]+)(us|ms|s)", output)
    assert found is not None, output
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return [pid, *(one for child in children for one in _family(int(child)))]


def _cpu(pid: int | None) -> float:
    """CPU seconds that a process and those below it have used."""
    if pid is None:
        return 0.0
    ticks = 0
    for one in _family(pid):
        fields = Path(f"/proc/{one}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
