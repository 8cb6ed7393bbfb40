"""What a call costs, against figures that two independent price lists agree upon."""

import json
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest

from fleetmeter.errors import SettingError
from fleetmeter.llm import Usage
from fleetmeter.pricing import (
    SHUTDOWN_DATES,
    Book,
    Cost,
    ModelPrice,
    PriceList,
    price_data,
    shutdown_timestamp,
    tariff_list,
)
from fleetmeter.pricing.supplements import supplement_for

FACTS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "model_prices.json").read_text(), parse_float=Decimal
)["models"]
WHEN = datetime(2026, 11, 23, 12, tzinfo=UTC)
WORKED = Usage(prompt=10_000, cached=6_000, cache_write=2_000, completion=1_000, reasoning=400)
HOUSE = ModelPrice(input=Decimal("0.5"), output=Decimal(2), cached_input=Decimal("0.05"))

OWN_PRICES = """
[house-model]
input = 0.1
output = 1
cached_input = 0.01
cache_write = 0.125
[house-model.long_context]
threshold_tokens = 1000
input = 0.2
output = 1.5
cached_input = 0.02
cache_write = 0.25
"""


def expected_nanodollars(fact: dict[str, Any], usage: Usage) -> Decimal:
    """The price of a usage by the recorded figures: USD per million tokens is 1,000 nano-dollars a token."""
    long = fact.get("long_context")
    rates = long if long and usage.prompt > long["threshold_tokens"] else fact
    growth = Decimal(rates["input"]) / Decimal(fact["input"])  # cache writes grow as the input does
    cached = rates["input"] if rates["cached_input"] is None else rates["cached_input"]
    written = rates["input"] if fact["cache_write"] is None else fact["cache_write"] * growth
    parts = (
        (usage.prompt - usage.cached - usage.cache_write) * Decimal(rates["input"]),
        usage.cached * Decimal(cached),
        usage.cache_write * Decimal(written),
        usage.completion * Decimal(rates["output"]),
    )
    return sum(parts, Decimal(0)) * 1000


@pytest.mark.parametrize("fact", FACTS, ids=[fact["model"] for fact in FACTS])
@pytest.mark.parametrize("prompt", [10_000, 272_000, 272_001, 900_000])
def test_listed_models_cost_what_both_sources_say(fact: dict[str, Any], prompt: int) -> None:
    """Every cross-checked model, on both sides of the long-context threshold, with every type of token."""
    completion = 1_000 if fact["output"] else 0
    usage = Usage(prompt=prompt, cached=6_000, cache_write=2_000, completion=completion)
    cost = PriceList().cost(fact["model"], usage, WHEN)
    assert cost is not None
    assert cost.nanodollars == expected_nanodollars(fact, usage)


@pytest.mark.parametrize("fact", FACTS, ids=[fact["model"] for fact in FACTS])
def test_listed_models_are_counted_under_their_id(fact: dict[str, Any]) -> None:
    """Each name leads to its id in the price list, whatever its case, and an id leads to itself."""
    prices = PriceList()
    assert prices.normalise(fact["model"]) == fact["listed_as"]
    assert prices.normalise(fact["model"].upper()) == fact["listed_as"]
    assert prices.normalise(fact["listed_as"]) == fact["listed_as"]
    assert fact["listed_as"] in prices.models()


def test_the_worked_example() -> None:
    """10,000 prompt tokens, 6,000 cached, 2,000 written, 1,000 completion on gpt-6-sol: 0.0202 USD."""
    cost = PriceList().cost("gpt-6-sol", WORKED, WHEN)
    assert cost == Cost(20_200_000)
    assert cost.usd == 0.0202


def test_long_context_bills_the_whole_request() -> None:
    """One prompt token above 272,000 changes the rate of all tokens, not of the one."""
    prices = PriceList()
    below = prices.cost("gpt-6-sol", Usage(prompt=272_000, completion=1_000), WHEN)
    above = prices.cost("gpt-6-sol", Usage(prompt=272_001, completion=1_000), WHEN)
    assert below == Cost(272_000 * 2_000 + 1_000 * 10_000)
    assert above == Cost(272_001 * 4_000 + 1_000 * 15_000)


def test_prices_have_dates() -> None:
    """A call costs what its model cost on its day in UTC: gpt-5.6-terra fell to 2/12 on 2026-07-30."""
    prices, usage = PriceList(), Usage(prompt=1_000, completion=1_000)
    assert prices.cost("gpt-5.6-terra", usage, datetime(2026, 7, 29, 23, 59, tzinfo=UTC)) == Cost(17_500_000)
    assert prices.cost("gpt-5.6-terra", usage, datetime(2026, 7, 30, tzinfo=UTC)) == Cost(14_000_000)
    tokyo = timezone(timedelta(hours=9))
    assert prices.cost("gpt-5.6-terra", usage, datetime(2026, 7, 30, 8, tzinfo=tokyo)) == Cost(17_500_000)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("gpt-6-luna-2026-09-01", "gpt-6-luna"),
        ("gpt-5.6", "gpt-5.6-sol"),
        ("gpt-9", "other"),
        ("gpt-6-sol-but-longer", "other"),
        ("", "other"),
    ],
)
def test_snapshots_share_their_models_name(name: str, model: str) -> None:
    """Snapshots and aliases are one model, a snapshot with prices of its own is itself, the rest is other."""
    assert PriceList().normalise(name) == model


@pytest.mark.parametrize("name", ["gpt-9", "house-model", "whisper-1", "gpt-audio", "gpt-image-2", "tts-1"])
def test_what_has_no_price_is_not_free(name: str) -> None:
    """Unknown models, and those billed by more than text tokens, have no cost instead of a wrong one."""
    assert PriceList().cost(name, WORKED, WHEN) is None


def test_a_missing_rate_is_no_price_of_0() -> None:
    """An embedding model has no rate for completions: a usage that has some cannot be priced."""
    prices = PriceList()
    assert prices.cost("text-embedding-3-small", Usage(prompt=1_000_000), WHEN) == Cost(20_000_000)
    assert prices.cost("text-embedding-3-small", Usage(prompt=1_000_000, completion=1), WHEN) is None


def test_searches_are_remembered_within_bounds() -> None:
    """Names that callers make up do not fill the memory, in our cache or in the library's."""
    prices = PriceList()
    library = sys.modules["genai_prices.data_snapshot"].get_snapshot()
    before = len(library._lookup_cache) + len(library._provider_cache)
    for number in range(1_500):
        prices.normalise(f"made-up-{number}")
        prices.cost(f"made-up-{number}", WORKED)
    assert len(prices._data._found) <= 1_024
    assert len(prices._kept) <= 2_048
    assert len(library._lookup_cache) + len(library._provider_cache) <= before + 1


class Meanwhile(dict[str, str]):
    """A table of providers that lets something happen whenever it is looked through, as another thread might."""

    def happens(self) -> None:
        """What happens meanwhile."""

    def __iter__(self) -> Iterator[str]:
        self.happens()
        return super().__iter__()


@pytest.mark.parametrize("most", [2_048, 0], ids=["room", "full"])
def test_what_is_forgotten_meanwhile_is_not_remembered(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """A name, place or tariff that was found by prices which are no longer in force is not taken for a present one."""
    table = Meanwhile({"elsewhere": "groq"})
    prices = PriceList(Book(providers=table))
    monkeypatch.setattr(tariff_list, "_MOST_KEPT", most)
    monkeypatch.setattr(table, "happens", prices._forget)
    address = "https://api.openai.com/v1"
    assert prices.provider(address) == "openai"
    assert prices.normalise("gpt-6-sol", base_url=address) == "gpt-6-sol"
    assert isinstance(prices.price("gpt-6-sol", WORKED, base_url=address, at=WHEN), Cost)
    assert (prices._places, prices._names, prices._kept) == ({}, {}, {})


@pytest.mark.parametrize("ask", ["provider", "price"])
def test_a_book_that_changes_meanwhile_is_the_one_that_counts(monkeypatch: pytest.MonkeyPatch, ask: str) -> None:
    """What a thread remembers that was overtaken by another one's change is what the new book says."""
    before, after = (Book(providers={"here": name}, regional=own) for name, own in (("groq", False), ("openai", True)))
    prices, wanted = PriceList(before), PriceList(after)

    def change() -> bool:
        if prices._book is before:
            prices._book = after
            prices._forget()
        return False

    def answer(prices: PriceList) -> object:
        if ask == "provider":
            return prices.provider("http://here/v1")
        return prices.price("gpt-6-sol", WORKED, provider="openai", at=WHEN)

    assert answer(prices) != answer(wanted)
    monkeypatch.setattr(prices._data, "refresh", change)
    monkeypatch.setattr(prices, "_kept", {})
    monkeypatch.setattr(prices, "_places", {})
    answer(prices)
    assert prices._book is after
    assert answer(prices) == answer(wanted)


@pytest.mark.parametrize("most", [1_024, 0], ids=["room", "full"])
def test_a_search_that_new_data_overtake_is_not_remembered(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """It ends by the data that it began with; the next one reads the new data."""
    data = price_data.PriceData()
    data.refresh()
    bundled = data.snapshot

    def search_meanwhile(model: str) -> Any:
        if data.snapshot is bundled:
            data.snapshot = type(bundled)(providers=[], from_auto_update=True)
            data._found = {}
        return supplement_for(model)

    monkeypatch.setattr(price_data, "_MOST_NAMES", most)
    monkeypatch.setattr(price_data, "supplement_for", search_meanwhile)
    found = data.find("openai", "gpt-6-sol")
    assert found is not None
    assert found.name == "gpt-6-sol"
    assert data.find("openai", "gpt-6-sol") is None


def test_new_price_data_are_taken_in() -> None:
    """What was remembered is forgotten when genai-prices gets other data, as its updater does."""
    from genai_prices import data_snapshot

    prices = PriceList()
    bundled = data_snapshot.get_snapshot()
    assert prices.normalise("gpt-6-sol") == "gpt-6-sol"
    assert prices.cost("gpt-6-sol", WORKED, WHEN) == Cost(20_200_000)
    reduced = [p for p in bundled.providers if p.id != "openai"]
    openai = bundled.find_provider(None, "openai", None)
    fewer = type(openai)(
        id="openai", name="openai", api_pattern="", models=[m for m in openai.models if m.id != "gpt-6-sol"]
    )
    data_snapshot.set_custom_snapshot(data_snapshot.DataSnapshot(providers=[*reduced, fewer], from_auto_update=True))
    try:
        assert prices.normalise("gpt-6-sol") == "other"
        assert prices.cost("gpt-6-sol", WORKED, WHEN) is None
    finally:
        data_snapshot.set_custom_snapshot(None)
    assert prices.normalise("gpt-6-sol") == "gpt-6-sol"
    assert prices.cost("gpt-6-sol", WORKED, WHEN) == Cost(20_200_000)


def test_own_prices_come_first() -> None:
    """The user's price wins over the list's, for the model's snapshots and in any case too."""
    prices = PriceList({"house-model": HOUSE, "GPT-6-sol": HOUSE})
    usage = Usage(prompt=1_000, cached=400, cache_write=100, completion=10)
    cost = Cost(600 * 500 + 400 * 50 + 10 * 2_000)  # no rate for cache writes: they are input
    for name in ("house-model", "HOUSE-model", "gpt-6-sol", "gpt-6-sol-2026-09-01"):
        assert prices.cost(name, usage, WHEN) == cost
    assert prices.normalise("House-Model") == "house-model"
    assert prices.normalise("gpt-6-sol-2026-09-01") == "GPT-6-sol"
    assert {"house-model", "GPT-6-sol", "gpt-6-luna"} <= prices.models()


def test_own_prices_need_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of the user's own is priced without genai-prices; any other says what to install."""
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    prices = PriceList({"house-model": HOUSE})
    assert prices.cost("house-model", Usage(prompt=2), WHEN) == Cost(1_000)
    with pytest.raises(ImportError, match=r"pip install 'fleetmeter\[openai\]'"):
        prices.cost("gpt-6-sol", WORKED, WHEN)


def test_own_prices_from_toml() -> None:
    """A TOML table gives the digits as they are written, long context included."""
    price = ModelPrice.from_mapping("house-model", tomllib.loads(OWN_PRICES)["house-model"])
    short = Usage(prompt=1_000, cached=100, cache_write=100, completion=10)
    long = Usage(prompt=1_001, cached=100, cache_write=100, completion=10)
    assert price.cost(short) == Cost(800 * 100 + 100 * 10 + 100 * 125 + 10 * 1_000)
    assert price.cost(long) == Cost(801 * 200 + 100 * 20 + 100 * 250 + 10 * 1_500)


def test_a_price_is_the_digits_that_were_written() -> None:
    """0.0005 is exactly half a nano-dollar a token, not the binary fraction above it, which would round up."""
    assert ModelPrice.from_mapping("mine", {"input": 0.0005, "output": 0}).cost(Usage(prompt=1)) == Cost(0)


LONG = {"threshold_tokens": 1000, "input": 2, "output": 3}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"input": 1}, "prices.mine.output: is missing"),
        ({"input": 1, "output": 2, "outptu": 3}, "prices.mine.outptu: is unknown; expected input, output"),
        ({"input": -1, "output": 2}, "prices.mine.input: -1 is no price"),
        ({"input": "1", "output": 2}, "prices.mine.input: '1' is no number"),
        ({"input": True, "output": 2}, "prices.mine.input: True is no number"),
        ({"input": 1, "output": float("nan")}, "prices.mine.output: nan is no price"),
        ({"input": 1, "output": float("inf")}, "prices.mine.output: inf is no price"),
        ({"input": 1, "output": 2, "long_context": 5}, "prices.mine.long_context: 5 is no table"),
        (
            {"input": 1, "output": 2, "long_context": {"input": 2, "output": 3}},
            "prices.mine.long_context.threshold_tokens: is missing",
        ),
        (
            {"input": 1, "output": 2, "long_context": LONG | {"threshold_tokens": 0}},
            "prices.mine.long_context.threshold_tokens: 0 is no whole number",
        ),
        (
            {"input": 1, "output": 2, "cache_write": 1.25, "long_context": LONG},
            "prices.mine.long_context.cache_write: is missing",
        ),
        (17, "prices.mine: 17 is no table"),
    ],
)
def test_own_prices_that_cannot_be_used_are_refused_by_name(table: Any, message: str) -> None:
    """The message names the model, the key, what was found and what was expected."""
    with pytest.raises(SettingError) as caught:
        ModelPrice.from_mapping("mine", table)
    assert str(caught.value).startswith(message)


def test_prices_made_in_code_are_checked_too() -> None:
    """A negative rate is refused, however it came."""
    with pytest.raises(SettingError, match="cached_input: "):
        ModelPrice(input=Decimal(1), output=Decimal(2), cached_input=Decimal(-1))


@pytest.mark.parametrize(("tokens", "nanodollars"), [(1, 0), (2, 1), (3, 2), (5, 2), (7, 4)])
def test_rounding_is_once_a_call_to_the_even_neighbour(tokens: int, nanodollars: int) -> None:
    """Half a nano-dollar a token: 0.5, 1.0, 1.5, 2.5 and 3.5 become 0, 1, 2, 2 and 4."""
    price = ModelPrice(input=Decimal("0.0005"), output=Decimal(0))
    assert price.cost(Usage(prompt=tokens)) == Cost(nanodollars)


def test_parts_of_a_call_are_not_rounded_by_themselves() -> None:
    """Two halves of a nano-dollar in one call are a whole one."""
    price = ModelPrice(input=Decimal("0.0005"), output=Decimal("0.0005"))
    assert price.cost(Usage(prompt=1, completion=1)) == Cost(1)


def test_the_callers_decimal_context_does_not_matter() -> None:
    """A service that computes with three digits gets the same cost."""
    prices = PriceList({"house-model": HOUSE})
    usage = Usage(prompt=123_457, completion=98_765)
    with localcontext(prec=3):
        costs = [prices.cost(model, usage, WHEN) for model in ("house-model", "gpt-6-sol")]
    assert costs == [Cost(123_457 * 500 + 98_765 * 2_000), Cost(123_457 * 2_000 + 98_765 * 10_000)]


def test_savings_are_measured_against_the_baseline() -> None:
    """The baseline's price for the same usage minus the price paid; below 0 where the baseline is cheaper."""
    prices, usage = PriceList(baseline="gpt-6-sol"), Usage(prompt=1_000)
    for model, saved in (("gpt-6-luna", 1_900_000), ("gpt-6-sol", 0), ("gpt-6-astra", -8_000_000)):
        cost = prices.cost(model, usage, WHEN)
        assert cost is not None
        assert prices.saving(cost, usage, WHEN) == Cost(saved)


def test_without_a_baseline_there_are_no_savings() -> None:
    """No baseline, or one without a price: nothing is claimed."""
    assert PriceList().saving(Cost(5), WORKED, WHEN) is None
    assert PriceList(baseline="gpt-9").saving(Cost(5), WORKED, WHEN) is None


def test_a_baseline_that_needs_the_package_saves_nothing_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The price of an own model is paid and told; that its baseline has none raises nothing."""
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    monkeypatch.setitem(sys.modules, "genai_prices.data_snapshot", None)
    prices = PriceList({"house-model": HOUSE}, baseline="gpt-6-sol")
    assert prices.saving(Cost(5), WORKED, WHEN) is None


def test_announced_ends_are_those_of_the_facts() -> None:
    """Every recorded shutdown date is known, under the name that the model is counted under, and no other."""
    facts = {f["model"]: date.fromisoformat(f["shutdown_date"]) for f in FACTS if f["shutdown_date"]}
    assert facts == SHUTDOWN_DATES
    assert all(PriceList().normalise(model) == model for model in SHUTDOWN_DATES)


def test_a_shutdown_is_a_moment() -> None:
    """Midnight UTC of the announced day, in Unix seconds."""
    moment = shutdown_timestamp("gpt-4o")
    assert moment is not None
    assert datetime.fromtimestamp(moment, UTC) == datetime(2027, 1, 14, tzinfo=UTC)
    assert shutdown_timestamp("gpt-6-sol") is None
