"""The gateway's configuration in the demo: the packaged one, and what makes more of the gateway visible.

Added are a budget for each team, tools on made-up prices, and a model that is down at times.
"""

import random
from datetime import date, timedelta
from importlib import resources
from pathlib import Path

from fleetmeter_app.demo.teams import budgets_toml

UNSTABLE = "gpt-6-astra"
"""The model that is down at times; nothing is asked in its place, so its circuit breaker can be seen."""

EMBEDDING = "text-embedding-3-small"
RESEARCH = "research"
"""The intent whose questions the model may answer with tools."""

SYMBOL = "ACME"
"""The symbol that the tools know."""

_ADDED = f"""
[models."{UNSTABLE}"]

[intents.{RESEARCH}]
tier = "cheap"
tools = ["latest_quote", "indicator"]
max_tokens = 600

[tools]
ohlcv = "prices"

"""
_BARS = 60


def gateway_toml() -> str:
    """The text. It expects the folder of `write_prices` beside its file."""
    packaged = (resources.files("fleetmeter_app") / "gateway.toml").read_text(encoding="utf-8")
    return packaged + _ADDED + budgets_toml()


def write_prices(directory: Path) -> None:
    """Write daily prices that were made up, as the name of their file says."""
    folder = directory / "prices"
    folder.mkdir()
    draw = random.Random(7)  # noqa: S311  not for secrets
    lines = ["date,open,high,low,close,volume"]
    close = 100.0
    for day in range(_BARS):
        begin, close = close, close * draw.uniform(0.98, 1.03)
        low, high = min(begin, close) * 0.99, max(begin, close) * 1.01
        when = date(2026, 1, 5) + timedelta(days=day)
        lines.append(f"{when},{begin:.2f},{high:.2f},{low:.2f},{close:.2f},{draw.randrange(200_000, 900_000)}")
    (folder / f"{SYMBOL}.synthetic.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
