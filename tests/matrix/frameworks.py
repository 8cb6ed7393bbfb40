"""Frameworks that call models by the SDK, each in an environment of its own: `python -m matrix.frameworks`.

Calls plus retries have to be what the upstream saw, tokens and money what it told.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from matrix.calls import Comparison, run
from matrix.environments import Environments, InstallFailed
from support.upstream import running_upstream

FRAMEWORKS = {
    "langchain": ("langchain-openai",),
    "pydantic_ai": ("pydantic-ai-slim[openai]",),
    "agents": ("openai-agents",),
    "instructor": ("instructor",),
    "llama_index": ("llama-index-llms-openai",),
    "semantic_kernel": ("semantic-kernel",),
    "litellm": ("litellm",),
}


def verdict(result: Comparison) -> str:
    """What differs from the ledger."""
    counted, total = result.counted, result.ledger.total()
    pairs = (
        ("requests", counted["calls"] + counted["retries"], total.received),
        ("nano-dollars", sum(counted["nano"].values()), total.delivered.nanodollars),
        ("unpriced", counted["unpriced"], total.untold.answered + total.abandoned.answered),
    )
    return "; ".join(f"{name}: counted {ours}, true {true}" for name, ours, true in pairs if ours != true) or "equal"


def main() -> int:
    """Print the table; exit status 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="names of frameworks; all without any")
    only = parser.parse_args().only
    bad = 0
    head = f"{'framework':<17}{'calls':>6}{'retries':>9}{'upstream':>10}{'unpriced':>10}{'nano-dollars':>14}"
    print(f"{head}  errors, verdict", flush=True)
    with tempfile.TemporaryDirectory(prefix="fm-matrix-", dir="/tmp") as folder, running_upstream() as upstream:
        environments = Environments(Path(folder))
        for name, packages in FRAMEWORKS.items():
            if only and name not in only:
                continue
            try:
                python = environments.with_packages((*packages, "genai-prices")) / "python"
                result = run(upstream, python, "matrix_frameworks.py", name)
            except (InstallFailed, AssertionError) as error:
                bad += 1
                print(f"{name:<17}NOT RUN: {str(error).strip()[-400:]}", flush=True)
                continue
            counted, told = result.counted, verdict(result)
            bad += told != "equal"
            received, money = result.ledger.total().received, sum(counted["nano"].values())
            figures = f"{counted['calls']:>6}{counted['retries']:>9}{received:>10}{counted['unpriced']:>10}{money:>14}"
            print(f"{name:<17}{figures}  {counted['errors']}, {told}", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
