"""Tables of rates: by tier and length of the prompt, with the source of each figure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from fleetmeter.cli.prices.bill import LONGEST_SHOWN
from fleetmeter.cli.printing import NOTHING, columns, shown
from fleetmeter.excerpt import cut
from fleetmeter.pricing import PriceList, Tariff, Unpriced
from fleetmeter.pricing.sheet import RATE_NAMES
from fleetmeter.pricing.tiers import STANDARD, TIERS

_OVERVIEW = ("input", "cached_input", "cache_write", "output", "audio_in", "audio_out", "image_in", "image_out")


def as_json(
    prices: PriceList, model: str, tiers: Sequence[str] | None, *, at: datetime, **place: Any
) -> dict[str, Any]:
    """A model's rates, for each tier that has rates. If no tier has any, `unpriced` says why."""
    found = {tier: prices.tariff(model, tier=tier, at=at, **place) for tier in tiers or TIERS}
    known = {tier: tariff for tier, tariff in found.items() if isinstance(tariff, Tariff)}
    if not known:
        reason = next(str(problem) for problem in found.values() if isinstance(problem, Unpriced))
        return {"model": model, "unpriced": reason}
    first = next(iter(known.values()))
    sources: dict[str, set[str]] = {}
    for tariff in known.values():
        for rate, source in tariff.sources.items():
            sources.setdefault(source, set()).add(rate)
    steps = [
        {"tier": tier, "above_prompt_tokens": start, "rates": _texts(sheet.rates)}
        for tier, tariff in known.items()
        for start, sheet in tariff.steps
    ]
    return {
        "model": model,
        "counted_as": first.model,
        "usd_per_million_tokens": steps,
        "sources": {source: sorted(rates, key=RATE_NAMES.index) for source, rates in sources.items()},
    }


def overview(prices: PriceList, *, at: datetime, **place: Any) -> list[dict[str, Any]]:
    """The standard rates of every model that the list names."""
    rows = []
    for model in sorted(prices.models()):
        tariff = prices.tariff(model, at=at, **place)
        if isinstance(tariff, Tariff):
            rates = {name: str(rate) for name, rate in tariff.steps[0][1].rates.items()}
            tiers = [
                t for t in TIERS if t != STANDARD and isinstance(prices.tariff(model, tier=t, at=at, **place), Tariff)
            ]
            longer = [start for start, _ in tariff.steps[1:]]
            rows.append({"model": model, "rates": rates, "tiers": tiers, "dearer_above_prompt_tokens": longer})
    return rows


def lines_of(found: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[str]:
    """The result of `as_json` or `overview` as lines for people."""
    if not isinstance(found, Mapping):
        return _overview_lines(found)
    if "unpriced" in found:
        return [f"{shown(cut(found['model'], LONGEST_SHOWN))}: no price: {shown(found['unpriced'])}"]
    counted = "" if found["counted_as"] == found["model"] else f", counted as {shown(found['counted_as'])}"
    steps = found["usd_per_million_tokens"]
    names = [name for name in RATE_NAMES if any(name in step["rates"] for step in steps)]
    table = columns(
        ("tier", "prompt above", *names),
        (
            (step["tier"], f"{step['above_prompt_tokens']:,}", *(step["rates"].get(name, NOTHING) for name in names))
            for step in steps
        ),
        right=("prompt above", *names),
    )
    sources = (f"  {source}: {', '.join(rates)}" for source, rates in found["sources"].items())
    return [f"{shown(found['model'])}{counted}: US dollars per million tokens", *table, "from", *map(shown, sources)]


def _overview_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = [name for name in _OVERVIEW if any(name in row["rates"] for row in rows)]
    return columns(
        ("model", *names, "also", "dearer above"),
        (
            (
                shown(row["model"]),
                *(row["rates"].get(name, NOTHING) for name in names),
                _list(row["tiers"]),
                _list(f"{start:,}" for start in row["dearer_above_prompt_tokens"]),
            )
            for row in rows
        ),
        right=names,
    )


def _texts(rates: Mapping[str, Decimal]) -> dict[str, str]:
    return {name: f"{rate.normalize():f}" for name, rate in rates.items()}


def _list(words: Iterable[str]) -> str:
    return ", ".join(words) or NOTHING
