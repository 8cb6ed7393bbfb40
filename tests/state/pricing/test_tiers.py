"""The tier that an answer names decides its price, and one without a price is never charged as another."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fleetmeter.llm import Usage
from fleetmeter.pricing import Cost, ModelPrice, PriceList, TierPrice, Unpriced

FACTS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "model_prices.json").read_text(), parse_float=Decimal
)["models"]
ROWS = [(fact, tier) for fact in FACTS for tier in fact.get("tiers", {})]
WHEN = datetime(2026, 11, 23, 12, tzinfo=UTC)
LARGE = Usage(prompt=100_000, completion=10_000)


def test_every_row_of_the_sheet_is_here() -> None:
    """44 models have 83 rows of tiers: none was lost on the way from the facts."""
    assert (len(FACTS), len(ROWS)) == (44, 83)


@pytest.mark.parametrize(("fact", "tier"), ROWS, ids=[f"{fact['model']} {tier}" for fact, tier in ROWS])
def test_listed_tiers_cost_what_the_sheet_says(fact: dict[str, Any], tier: str) -> None:
    """Prompt, cached and completion tokens at the tier's rates; cached ones at the standard rate if it has none."""
    row = fact["tiers"][tier]
    completion = 1_000 if row["output"] else 0
    usage = Usage(prompt=10_000, cached=6_000, completion=completion)
    cached = row.get("cached_input", fact["cached_input"])
    expected = 4_000 * Decimal(row["input"]) + completion * Decimal(row["output"])
    expected += 6_000 * Decimal(row["input"] if cached is None else cached)
    assert PriceList().price(fact["model"], usage, tier=tier, at=WHEN) == Cost(int(expected * 1_000))


@pytest.mark.parametrize(
    ("tier", "nanodollars"),
    [
        (None, 15_000_000),
        ("", 15_000_000),
        ("default", 15_000_000),
        ("standard", 15_000_000),
        ("on_demand", 15_000_000),
        ("flex", 7_500_000),
        ("batch", 7_500_000),
        ("priority", 30_000_000),
        ("fast", 30_000_000),
    ],
)
def test_names_of_tiers(tier: str | None, nanodollars: int) -> None:
    """`fast` is `priority`, and an answer that names no tier was served at the standard one."""
    assert PriceList().price("gpt-6-luna", LARGE, tier=tier, at=WHEN) == Cost(nanodollars)


@pytest.mark.parametrize("tier", ["auto", "scale", "ultrafast", "Flex", "x" * 10_000])
def test_other_tiers_have_no_price(tier: str) -> None:
    """What says nothing about the price, or is not known, is told by name and never charged as standard."""
    found = PriceList().price("gpt-6-luna", LARGE, tier=tier, at=WHEN)
    assert isinstance(found, Unpriced)
    assert found.kind == "tier"
    assert repr(tier[:64]) in found.reason
    assert len(found.reason) < 200


def test_a_tier_that_a_model_lacks_has_no_price() -> None:
    """gpt-4o has no flex rates: standard ones would be a guess, and so would those of a day before they were read."""
    prices = PriceList()
    assert prices.price("gpt-4o", LARGE, tier="flex", at=WHEN) == Unpriced(
        "tier", "gpt-4o flex", "gpt-4o has no listed rates for the tier 'flex'"
    )
    early = prices.price("gpt-6-sol", LARGE, tier="flex", at=datetime(2026, 10, 1, tzinfo=UTC))
    assert isinstance(early, Unpriced)


def test_long_context_of_a_tier() -> None:
    """One prompt token above 272,000 changes the rates of the whole request at each tier."""
    prices = PriceList()
    below = prices.price("gpt-6-sol", Usage(prompt=272_000, completion=1_000), tier="priority", at=WHEN)
    above = prices.price("gpt-6-sol", Usage(prompt=272_001, completion=1_000), tier="priority", at=WHEN)
    assert below == Cost(272_000 * 4_000 + 1_000 * 20_000)
    assert above == Cost(272_001 * 8_000 + 1_000 * 30_000)


def test_own_tiers() -> None:
    """An own price has the tiers that it names, and no other."""
    half = TierPrice(input=Decimal("0.5"), output=Decimal(1))
    prices = PriceList({"mine": ModelPrice(input=Decimal(1), output=Decimal(2), tiers={"batch": half})})
    assert prices.price("mine", LARGE) == Cost(100_000 * 1_000 + 10_000 * 2_000)
    assert prices.price("mine", LARGE, tier="batch") == Cost(100_000 * 500 + 10_000 * 1_000)
    assert prices.price("mine", LARGE, tier="flex") == Unpriced(
        "tier", "mine flex", "your own price of mine has no tier 'flex'"
    )


@pytest.mark.parametrize(
    ("tier", "nanodollars"), [(None, 210_000_000), ("flex", 105_000_000), ("batch", 105_000_000), ("fast", 420_000_000)]
)
def test_cache_writes_for_twelve_hours(tier: str | None, nanodollars: int) -> None:
    """40,000 of 150,000 prompt tokens written for 12 hours cost 2.5 times the input: 0.21 USD, not 0.16."""
    usage = Usage(prompt=150_000, cache_write=40_000, cache_write_12h=40_000)
    assert PriceList().price("gpt-6.1-terra", usage, tier=tier, at=WHEN) == Cost(nanodollars)
    half_an_hour = Usage(prompt=150_000, cache_write=40_000)
    assert PriceList().price("gpt-6.1-terra", half_an_hour, at=WHEN) == Cost(160_000_000)


def test_cache_writes_whose_rate_nobody_knows() -> None:
    """gpt-6-sol has no known rate for 12 hours: no price instead of that for 30 minutes."""
    usage = Usage(prompt=150_000, cache_write=40_000, cache_write_12h=1)
    found = PriceList().price("gpt-6-sol", usage, at=WHEN)
    assert isinstance(found, Unpriced)
    assert (found.kind, found.reason) == ("rate", "gpt-6-sol has no rate for cache writes that are kept for 12 hours")
