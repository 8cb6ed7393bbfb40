"""What a program that called models has counted, beside what the upstream's ledger says: equal, or not, and in what."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleetmeter_app.upstream.ledger import Ledger
from matrix.environments import ROOT
from support.upstream import RunningUpstream, settled

PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Comparison:
    """One run: what the program printed, and the ledger."""

    counted: dict[str, Any]
    ledger: Ledger

    def differences(self) -> list[str]:
        """What is not equal, in words; empty if all is."""
        counted, total = self.counted, self.ledger.total()
        models = {name: account.delivered for name, account in self.ledger.models.items()}
        tokens = {
            name: {kind: n for kind, n in vars(one.usage).items() if n}
            for name, one in models.items()
            if one.usage.total
        }
        money = {name: one.nanodollars for name, one in models.items() if one.nanodollars}
        pairs = {
            "calls": (counted["calls"], counted["made"]),
            "calls and retries": (counted["calls"] + counted["retries"], total.received),
            "errors": (counted["errors"], counted["seen"]),
            "unpriced": (counted["unpriced"], total.untold.answered + total.abandoned.answered),
            "tokens": (counted["tokens"], tokens),
            "nano-dollars": (counted["nano"], money),
        }
        return [f"{name}: counted {ours}, true {true}" for name, (ours, true) in pairs.items() if ours != true]


def run(upstream: RunningUpstream, python: str | Path, program: str, *arguments: object) -> Comparison:
    """Run a program of `programs` against an upstream with a fresh ledger. Raises `AssertionError` if it fails."""
    upstream.reset_ledger()
    environ = os.environ | {
        "OPENAI_BASE_URL": upstream.base_url,
        "OPENAI_API_KEY": "x",
        "PYTHONPATH": str(ROOT / "state"),
    }
    done = subprocess.run(
        [str(python), str(PROGRAMS / program), *map(str, arguments)],
        env=environ, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return Comparison(json.loads(done.stdout.splitlines()[-1]), settled(upstream))
