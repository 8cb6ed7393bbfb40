"""`python -m matrix.gateway`: the gateway against the oldest and the newest SDK, each in an environment of its own.

Every call has to end as it should, and calls and money have to be what the upstream billed.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from fleetmeter.embedded import EmbeddedStore
from matrix.calls import PROGRAMS
from matrix.environments import Environments
from support.exposition import total
from support.gateway import Program, Programs, eventually
from support.store import new_address
from support.upstream import RunningUpstream, running_upstream

SDKS = {"oldest": ("openai==2.54.0",), "newest": ("openai",)}
CONFIG = """
baseline_tier = "cheap"
default_intent = "general"
[tiers.cheap]
model = "gpt-6-luna"
[models."text-embedding-3-small"]
[intents.general]
tier = "cheap"
[cache]
enabled = false
"""
EXPECTED: dict[str, Any] = {
    "chat": 120,
    "stream": 0,
    "stream usage": [120],
    "tools": "tool_calls",
    "parse": "Quote",
    "response": "completed",
    "response stream": "response.completed",
    "embeddings": 2,
    "models": True,
    "failure": "InternalServerError",
    "broken": "APIError",
    "unknown": "NotFoundError",
    "async chat": 120,
    "async stream": "stop",
}


def main() -> int:
    """Status 0 if all is as it should be."""
    wrong = 0
    with (
        EmbeddedStore() as store,
        running_upstream() as upstream,
        Programs() as programs,
        tempfile.TemporaryDirectory(prefix="fm-matrix-", dir="/tmp") as folder,
    ):
        environments = Environments(Path(folder))
        for name, packages in SDKS.items():
            replica = programs.gateway(new_address(store), upstream.base_url, CONFIG, FLEETMETER_FLUSH_INTERVAL="0.05")
            upstream.reset_ledger()
            python = environments.with_packages((*packages, "pydantic")) / "python"
            command = [str(python), str(PROGRAMS / "matrix_gateway.py"), replica.address() + "/v1"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
            problems = [done.stderr.strip()[-500:]] if done.returncode else _problems(done.stdout, replica, upstream)
            wrong += bool(problems)
            print(f"{name} ({', '.join(packages)}): {'; '.join(problems) or 'all as it should be'}", flush=True)
    return min(wrong, 1)


def _problems(output: str, replica: Program, upstream: RunningUpstream) -> list[str]:
    found = json.loads(output.splitlines()[-1])
    problems = [
        f"{key}: {found.get(key)!r} in the place of {EXPECTED[key]!r}"
        for key in EXPECTED
        if found.get(key) != EXPECTED[key]
    ]
    ledger = upstream.ledger().total()

    def agrees() -> bool:
        samples = replica.samples()
        requests = total(samples, "openai_api_calls_total") + total(samples, "openai_retries_total")
        return requests == ledger.received

    if not eventually(agrees):
        problems.append(f"calls and retries are not the upstream's {ledger.received} requests")
    money = round(total(replica.samples(), "openai_total_cost_usd_total") * 1e9)
    delivered = ledger.delivered.nanodollars
    if not delivered <= money <= delivered + ledger.untold.nanodollars + 100_000:
        problems.append(f"{money} nano-dollars, the upstream billed {delivered}")
    return problems


if __name__ == "__main__":
    sys.exit(main())
