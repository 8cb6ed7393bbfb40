"""What counting adds to a call of the openai SDK, and to a chunk of a stream: ours beside two peers', and none.

CPU time of the process, answers from inside it. Each way has an environment of its own with the same SDK; the ways take
turns, and the best of all turns counts.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from bench.tables import judged, show
from matrix.calls import PROGRAMS
from matrix.environments import ROOT, Environments, InstallFailed

SDK = "openai==3.54.0"
WAYS = {
    "none": (SDK, "genai-prices"),
    "fleetmeter": (SDK, "genai-prices"),
    "openllmetry": (SDK, "opentelemetry-instrumentation-openai==0.62.4", "opentelemetry-sdk"),
    "langfuse": (SDK, "langfuse==5.0.4"),
}
TURNS = 3


def main() -> None:
    """Print the table."""
    best: dict[str, dict[str, float]] = {}
    troubles: list[str] = []
    with tempfile.TemporaryDirectory(prefix="fm-bench-", dir="/tmp") as folder:
        environments = Environments(Path(folder))
        for _ in range(TURNS):
            for way, packages in WAYS.items():
                try:
                    python = environments.with_packages(packages) / "python"
                    figures = _measured(python, way)
                except (InstallFailed, RuntimeError) as error:
                    troubles.append(f"{way} did not run: {str(error).strip()[-200:]}")
                    continue
                known = best.setdefault(way, figures)
                best[way] = {name: min(known[name], value) for name, value in figures.items()}
    stock = best["none"]
    added = {way: {name: one[name] - stock[name] for name in ("call", "chunk")} for way, one in best.items()}
    rows = [
        [way, f"{one['call']:.0f}", f"{added[way]['call']:.0f}", f"{one['chunk']:.1f}", f"{added[way]['chunk']:.1f}"]
        for way, one in best.items()
    ]
    ours = added["fleetmeter"]
    notes = [judged("µs added to a call", ours["call"], 100), judged("µs added to a chunk", ours["chunk"], 5)]
    peers = [added[way] for way in ("openllmetry", "langfuse") if way in added]
    for name in ("call", "chunk"):
        if peers:
            least = min(peer[name] for peer in peers)
            notes.append(judged(f"share of the best peer, {name}", ours[name] / least, 0.25))
    show(
        "CPU time in microseconds",
        ("counted by", "a call", "added", "a chunk", "added"),
        rows,
        [*notes, *sorted(set(troubles))],
    )


def _measured(python: Path, way: str) -> dict[str, float]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "state")}
    command = [str(python), str(PROGRAMS / "bench_openai.py"), way]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
