"""`python -m matrix.gateway`: SDKs and frameworks against three replicas, each in an environment of its own.

Every call has to end as it should. Calls and retries, tokens and money have to be what the upstream billed, exactly.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleetmeter.embedded import EmbeddedStore
from matrix.calls import PROGRAMS
from matrix.environments import Environments, InstallFailed
from support.agreement import billed, differences, shown
from support.balancer import Balancer
from support.exposition import total
from support.gateway import ONE_TIER, Program, Programs, eventually
from support.store import new_address
from support.upstream import RunningUpstream, running_upstream, settled

REPLICAS = 3
ROUNDS = 3
CONFIG = f"""{ONE_TIER}
[models."text-embedding-3-small"]
[cache]
enabled = false
"""
SDK: dict[str, Any] = {
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
    "unknown": "NotFoundError",
    "async chat": 120,
    "async stream": "stop",
}
CHAT: dict[str, Any] = {"chat": [20, 120], "stream": 20, "tools": "17 USD"}
ASKED: dict[str, Any] = {**CHAT, "async": 20, "embeddings": 2}


@dataclass(frozen=True)
class Row:
    """A piece of software: its packages, the program that uses it, and what has to come of each call."""

    packages: tuple[str, ...]
    program: tuple[str, ...]
    expected: Mapping[str, Any]

    @property
    def named(self) -> str:
        """The package whose version counts."""
        return self.packages[0].partition("==")[0].partition("[")[0]


def _framework(name: str, *packages: str, **expected: Any) -> Row:
    return Row(packages, ("matrix_gateway_frameworks.py", name), expected)


ROWS = {
    "openai oldest": Row(("openai==2.54.0",), ("matrix_gateway.py",), SDK),
    "openai newest": Row(("openai",), ("matrix_gateway.py",), SDK),
    "langchain": _framework(
        "langchain", "langchain-openai", **ASKED, parse="Quote", response=20, **{"response stream": 20}
    ),
    "pydantic-ai": _framework("pydantic_ai", "pydantic-ai-slim[openai]", **CHAT, parse="Quote", response=20),
    "openai-agents": _framework(
        "agents", "openai-agents", **CHAT, parse="Quote", response=20, **{"response stream": 20, "response tools": 1}
    ),
    "instructor": _framework(
        "instructor",
        "instructor",
        **{"tools": "Quote", "tools stream": True, "parse": "Quote", "parse stream": True, "async": "Quote"},
    ),
    "litellm": _framework("litellm", "litellm", **ASKED, response=20),
    "llama-index": _framework(
        "llama_index", "llama-index-llms-openai", "llama-index-embeddings-openai", **ASKED, parse="Quote"
    ),
}


def main() -> int:
    """Print the table; status 0 if all is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="words of the names to run; all without any")
    only = parser.parse_args().only
    wrong = 0
    print(
        f"{'software':<16}{'version':>10}{'calls':>7}{'upstream':>10}{'tokens':>8}{'nano-dollars':>14}  verdict",
        flush=True,
    )
    with (
        EmbeddedStore() as store,
        running_upstream() as upstream,
        tempfile.TemporaryDirectory(prefix="fm-matrix-", dir="/tmp") as folder,
    ):
        environments = Environments(Path(folder))
        for name, row in ROWS.items():
            if only and not any(word in name for word in only):
                continue
            try:
                python = environments.with_packages((*row.packages, "pydantic")) / "python"
                figures, problems = _tried(row, python, store, upstream)
            except (InstallFailed, RuntimeError, subprocess.SubprocessError) as error:
                figures, problems = f"{'-':>10}", [f"NOT RUN: {str(error).strip()[-400:]}"]
            wrong += bool(problems)
            print(f"{name:<16}{figures}  {'; '.join(problems) or 'equal'}", flush=True)
    return min(wrong, 1)


def _tried(row: Row, python: Path, store: EmbeddedStore, upstream: RunningUpstream) -> tuple[str, list[str]]:
    """The figures of a row, and what is not as it should be."""
    upstream.reset_ledger()
    address = new_address(store)
    problems: list[str] = []
    with Programs() as programs:
        replicas = [
            programs.gateway(address, upstream.base_url, CONFIG, FLEETMETER_FLUSH_INTERVAL="0.05")
            for _ in range(REPLICAS)
        ]
        with Balancer([replica.address() for replica in replicas]) as balancer:
            base_url = f"{balancer.address}/v1"
            for _ in range(ROUNDS):
                problems += _run(python, row.program, base_url, row.expected)
            idle = REPLICAS - len(balancer.given)
            if idle:
                problems.append(f"{idle} replicas were asked nothing")
            figures, wrong = _compared(replicas[0], upstream)
            if row.expected is SDK:
                problems += _run(python, row.program, base_url, {"broken": "APIError"}, "broken")
    code = f"from importlib.metadata import version; print(version({row.named!r}))"
    version = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    return f"{version:>10}{figures}", problems + wrong


def _run(python: Path, program: tuple[str, ...], base_url: str, expected: Mapping[str, Any], *more: str) -> list[str]:
    """What did not come out as expected; raises `RuntimeError` if the program fails."""
    command = [str(python), str(PROGRAMS / program[0]), *program[1:], base_url, *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    return [
        f"{key}: {found.get(key)!r} in the place of {wanted!r}"
        for key, wanted in expected.items()
        if found.get(key) != wanted
    ]


def _compared(replica: Program, upstream: RunningUpstream) -> tuple[str, list[str]]:
    """What the fleet shows beside what the upstream has billed."""
    ledger = settled(upstream).total()
    true = billed(ledger)
    eventually(lambda: shown(replica.samples()) == true)
    samples = replica.samples()
    ours = shown(samples)
    calls = round(total(samples, "openai_api_calls_total"))
    figures = f"{calls:>7}{ledger.received:>10}{ours['tokens']:>8}{ours['nano-dollars']:>14}"
    return figures, differences(ours, true)


if __name__ == "__main__":
    sys.exit(main())
