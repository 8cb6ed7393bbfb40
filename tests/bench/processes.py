"""Benchmarks' processes: one client each, which writes what it measured as JSON."""

import json
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.clients import environment
from fleetmeter.embedded import EmbeddedStore


def free_port() -> int:
    """A loopback port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def in_its_own_process(module: str, client: str, store: EmbeddedStore, *arguments: object) -> Any:
    """What a module measures with one client, in a process of that client's own: `<client> <port> <arguments>`."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", module, client, str(store.port), *map(str, arguments)]
        environ = environment(client, f"unix://{store.socket}", directory)
        output = subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def megabytes(pid: int) -> tuple[float, float]:
    """A process's resident memory now, and the most it ever was."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", status, re.MULTILINE))
    return int(found["VmRSS"]) / 1024, int(found["VmHWM"]) / 1024
