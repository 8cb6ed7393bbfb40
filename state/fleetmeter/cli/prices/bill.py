"""The bill for a file of usages: totals by model, and the reasons why calls have no price."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from fleetmeter.cli.printing import NOTHING, columns, counted, shown
from fleetmeter.excerpt import cut
from fleetmeter.pricing import Answer, Cost, Doubt, Unpriced, Usage

_MOST_BROKEN = 20
"""Broken lines that are shown one by one."""
_MOST_REASONS = 200
"""Different reasons that are listed; a file of nonsense may have one per line."""
_MOST_MODELS = 1_000
"""Models that have a row of their own."""
LONGEST_SHOWN = 100
"""Characters that a table shows of a model's name; the longest real ones, of fine-tunes, have about as many."""
_DOLLARS = 10**9


@dataclass
class Entry:
    """The calls of one model."""

    calls: int = 0
    unpriced: int = 0
    nanodollars: int = 0
    tokens: Counter[str] = field(default_factory=Counter)


@dataclass
class Reason:
    """How many calls have no price for one reason, and the line of the first of them."""

    calls: int
    line: int


class Bill:
    """Adds up calls, line by line."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.models: dict[str, Entry] = {}
        self.reasons: dict[str, Reason] = {}
        self.broken: list[str] = []
        self.broken_count = 0

    @property
    def status(self) -> int:
        """The exit status: 0 if every call has a price, 1 if one has none or a line is broken."""
        return int(bool(self.reasons or self.broken_count))

    def add(self, line: int, model: str, answer: Answer, price: Cost | Unpriced) -> None:
        """Count the answer in a line under the name `model`."""
        known = model in self.models or len(self.models) < _MOST_MODELS
        entry = self.models.setdefault(model if known else "(others)", Entry())
        entry.calls += 1
        if isinstance(answer.usage, Usage | Doubt):
            entry.tokens.update(answer.usage.disjoint())
        if isinstance(price, Cost):
            entry.nanodollars += price.nanodollars
            return
        entry.unpriced += 1
        text = price.reason if price.reason in self.reasons or len(self.reasons) < _MOST_REASONS else "other reasons"
        self.reasons.setdefault(text, Reason(0, line)).calls += 1

    def refuse(self, line: int, problem: str) -> None:
        """Count a line that is no answer."""
        self.broken_count += 1
        if len(self.broken) < _MOST_BROKEN:
            self.broken.append(f"{self._file}, line {line}: {problem}")

    def as_json(self) -> dict[str, Any]:
        """The bill as JSON, amounts in whole nano-dollars."""
        return {
            "models": {
                name: {
                    "calls": entry.calls,
                    "unpriced_calls": entry.unpriced,
                    "nanodollars": entry.nanodollars,
                    "tokens": {kind: tokens for kind, tokens in entry.tokens.items() if tokens},
                }
                for name, entry in sorted(self.models.items())
            },
            "nanodollars": sum(entry.nanodollars for entry in self.models.values()),
            "unpriced": [
                {"reason": text, "calls": reason.calls, "first_line": reason.line}
                for text, reason in self.reasons.items()
            ],
            "broken_lines": self.broken_count,
        }

    def lines(self) -> list[str]:
        """The bill as a table for people."""
        kinds = [kind for kind in _ORDER if any(entry.tokens[kind] for entry in self.models.values())]
        whole = Entry()
        for entry in self.models.values():
            whole.calls += entry.calls
            whole.unpriced += entry.unpriced
            whole.nanodollars += entry.nanodollars
            whole.tokens.update(entry.tokens)
        rows = [*sorted(self.models.items()), ("total", whole)]
        table = columns(
            ("model", "calls", *kinds, "USD", "unpriced"),
            (
                (
                    shown(cut(name, LONGEST_SHOWN)),
                    f"{entry.calls:,}",
                    *(f"{entry.tokens[kind]:,}" for kind in kinds),
                    dollars(entry.nanodollars) if entry.unpriced < entry.calls else NOTHING,
                    f"{entry.unpriced:,}",
                )
                for name, entry in rows
            ),
            right=("calls", *kinds, "USD", "unpriced"),
        )
        why = (
            f"  {counted(reason.calls, 'call')}, the first in line {reason.line:,}: {shown(text)}"
            for text, reason in self.reasons.items()
        )
        return [*table, *(["without a price"] if self.reasons else []), *why]


_ORDER = (
    *("prompt", "cached", "cache_write", "audio_in", "image_in"),
    *("completion", "reasoning", "audio_out", "image_out"),
)


def dollars(nanodollars: int) -> str:
    """An amount in US dollars to the last nano-dollar, without zeros at the end: `0.01855`."""
    whole, rest = divmod(nanodollars, _DOLLARS)
    return f"{whole:,}.{rest:09d}".rstrip("0").rstrip(".")
