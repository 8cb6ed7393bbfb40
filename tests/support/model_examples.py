"""The programs of examples/, run against an upstream: what the fleet counted of them beside the upstream's ledger."""

import subprocess
from pathlib import Path

from fleetmeter_app.upstream.ledger import Ledger
from support.exposition import total
from support.processes import environment, fleet
from support.store import StoreAddress
from support.upstream import RunningUpstream, settled

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = {
    "script.py": (),
    "stream.py": (),
    "langchain_chain.py": ("langchain-openai",),
    "pydantic_ai_agent.py": ("pydantic-ai-slim[openai]",),
    "openai_agents.py": ("openai-agents",),
    "instructor_extraction.py": ("instructor",),
    "litellm_responses.py": ("litellm",),
}
"""The examples that are scripts, which take questions, and the packages that each needs beside openai."""
SERVICES = ("fastapi_service.py", "celery_tasks.py")
QUESTIONS = (
    "[[usage:prompt=100,cached=60,completion=20]] What?",
    "[[fault:429,times=1]] [[usage:prompt=90,completion=30,reasoning=12]] Why?",
)
"""What the upstream is asked: one answer at once, and one after a retry."""
UNRETRIED = ("litellm_responses.py",)
"""Examples that call by something that does not try again: they ask the first question only."""
_PATIENCE = 120.0
_TOKENS = ("prompt", "cached", "cache_write", "completion", "reasoning")


def variables(upstream: RunningUpstream) -> dict[str, str]:
    """The environment that an example's README asks for."""
    return {
        "OPENAI_BASE_URL": upstream.base_url,
        "OPENAI_API_KEY": "test",
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "FLEETMETER_PRICES": str(EXAMPLES / "prices.toml"),
    }


def run_script(python: str, name: str, store: StoreAddress, upstream: RunningUpstream, **more: str) -> None:
    """Run an example that is a script to its end, with the questions. Raises `AssertionError` if it fails."""
    questions = QUESTIONS[:1] if name in UNRETRIED else QUESTIONS
    done = subprocess.run(
        [python, name, *questions], cwd=EXAMPLES, env=environment(store, **variables(upstream), **more),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.strip(), "an example prints the answers"


def differences(store: StoreAddress, ledger: Ledger) -> list[str]:
    """In what the fleet and an upstream's ledger are not equal, in words; empty if in nothing."""
    samples, whole = fleet(store), ledger.total()
    told = whole.delivered
    pairs: dict[str, tuple[float, float]] = {
        "requests": (
            total(samples, "openai_api_calls_total") + total(samples, "openai_retries_total"),
            whole.received,
        ),
        "nano-dollars": (round(total(samples, "openai_total_cost_usd_total") * 10**9), told.nanodollars),
        "unpriced": (total(samples, "openai_unpriced_calls_total"), whole.untold.answered + whole.abandoned.answered),
    }
    for kind in _TOKENS:
        pairs[f"{kind} tokens"] = total(samples, "openai_tokens_used_sum", type=kind), getattr(told.usage, kind)
    return [f"{name}: counted {ours:.0f}, true {true:.0f}" for name, (ours, true) in pairs.items() if ours != true]


def tried(python: str, name: str, store: StoreAddress, upstream: RunningUpstream, **more: str) -> tuple[Ledger, str]:
    """Run a script against an upstream with a fresh ledger: that ledger, and what differs from it or `equal`."""
    upstream.reset_ledger()
    run_script(python, name, store, upstream, **more)
    ledger = settled(upstream)
    return ledger, "; ".join(differences(store, ledger)) or "equal"
