"""Whose prices count: the provider at the base URL, and nobody's at an address that nobody knows."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from fleetmeter.llm import Usage
from fleetmeter.pricing import Book, Cost, ModelPrice, PriceList, Unpriced

WHEN = datetime(2026, 11, 23, 12, tzinfo=UTC)
USAGE = Usage(prompt=1_000, completion=100)
FREE = ModelPrice(input=Decimal(0), output=Decimal(0), provider="local")


@pytest.mark.parametrize(
    ("base_url", "model", "name", "nanodollars"),
    [
        ("https://api.openai.com/v1/", "gpt-4o", "gpt-4o", 3_500_000),
        ("https://api.openai.com:443/v1", "gpt-4o", "gpt-4o", 3_500_000),
        ("https://house.openai.azure.com/openai/deployments/x/", "gpt-4o", "azure/gpt-4o", 3_500_000),
        ("https://openrouter.ai/api/v1", "openai/gpt-4o", "openrouter/openai/gpt-4o", 3_500_000),
        ("https://api.groq.com/openai/v1", "llama-3.3-70b-versatile", "groq/llama-3.3-70b-versatile", 669_000),
        ("https://api.mistral.ai/v1", "mistral-large-latest", "mistral/mistral-large", 2_600_000),
        ("https://generativelanguage.googleapis.com/v1beta", "gemini-2.5-flash", "google/gemini-2.5-flash", 550_000),
        ("https://api.moonshot.cn/v1", "kimi-k2-0905-preview", "moonshotai/kimi-k2-0905-preview", 850_000),
    ],
)  # fmt: skip
def test_each_provider_has_its_prices(base_url: str, model: str, name: str, nanodollars: int) -> None:
    """The base URL tells the provider; models of others than OpenAI are counted with its name before theirs."""
    prices = PriceList()
    assert prices.price(model, USAGE, base_url=base_url, at=WHEN) == Cost(nanodollars)
    assert prices.normalise(model, base_url=base_url) == name
    assert prices.normalise(name) == name


@pytest.mark.parametrize(
    "base_url",
    [
        "http://localhost:8000/v1",
        "http://127.0.0.1:1/",
        "https://api.openai.com.example.org/v1",
        "https://api.openai.community/v1",
        "https://example.org/https://api.openai.com/v1",
        "http://localhost:8000/x.openai.azure.com/",
        "https://example.org/x.googleapis.com",
        "",
        "nonsense",
    ],
)
def test_an_address_that_nobody_knows_costs_nothing_known(base_url: str) -> None:
    """gpt-4o at a server of one's own is not OpenAI's gpt-4o: neither its price nor its series."""
    found = PriceList().price("gpt-4o", USAGE, base_url=base_url, at=WHEN)
    assert isinstance(found, Unpriced)
    assert found.kind == "provider"
    assert PriceList().normalise("gpt-4o", base_url=base_url) == "other"


def test_a_url_object_is_as_good_as_its_text() -> None:
    """The SDK's clients hold an object of their HTTP library."""
    import httpx

    found = PriceList().price("gpt-4o", USAGE, base_url=httpx.URL("https://api.openai.com/v1/"), at=WHEN)
    assert found == Cost(3_500_000)


def test_a_provider_by_name() -> None:
    """A name wins over the address; one that nobody has ever heard of has no prices."""
    prices = PriceList()
    assert prices.price("gpt-4o", USAGE, provider="azure", base_url="http://proxy/", at=WHEN) == Cost(3_500_000)
    assert isinstance(prices.price("gpt-4o", USAGE, provider="nobody", at=WHEN), Unpriced)
    assert prices.price("openai/gpt-4o", USAGE, provider="litellm", at=WHEN) == Cost(3_500_000)
    assert prices.price("gpt-4o", USAGE, provider="litellm", at=WHEN) == Cost(3_500_000)


def test_tiers_of_a_model_that_is_sold_for_another() -> None:
    """What OpenAI charges for flex says nothing about Azure."""
    assert isinstance(PriceList().price("gpt-6-sol", USAGE, provider="azure", tier="flex", at=WHEN), Unpriced)


def test_own_addresses() -> None:
    """The longest of the user's own beginnings wins, over the known patterns too; a host stands for all its paths."""
    book = Book(
        models={"gpt-4o": FREE},
        providers={"proxy.example.org": "openai", "https://proxy.example.org/free": "local", "localhost:8000": "local"},
    )
    prices = PriceList(book)
    assert prices.price("gpt-4o", USAGE, base_url="https://proxy.example.org/v1", at=WHEN) == Cost(3_500_000)
    assert prices.price("gpt-4o", USAGE, base_url="https://proxy.example.org/free/v1", at=WHEN) == Cost(0)
    assert prices.price("gpt-4o", USAGE, base_url="https://proxy.example.org/freedom", at=WHEN) == Cost(3_500_000)
    assert prices.price("gpt-4o", USAGE, base_url="http://localhost:8000/v1") == Cost(0)
    assert isinstance(prices.price("gpt-4o", USAGE, base_url="http://localhost:8001/v1"), Unpriced)
    assert prices.price("gpt-4o", USAGE, at=WHEN) == Cost(3_500_000)


@pytest.mark.parametrize(
    ("base_url", "regional", "model", "nanodollars"),
    [
        ("https://eu.api.openai.com/v1", None, "gpt-6-sol", 3_300_000),
        ("https://eu.api.openai.com/v1", False, "gpt-6-sol", 3_000_000),
        ("https://eu.api.openai.com/v1", None, "gpt-4o", 3_500_000),
        ("https://api.openai.com/v1", None, "gpt-6-sol", 3_000_000),
        ("https://api.openai.com/v1", True, "gpt-6-sol", 3_300_000),
        ("https://house.openai.azure.com/", True, "gpt-6-sol", 3_000_000),
    ],
)
def test_regional_processing(base_url: str, regional: bool | None, model: str, nanodollars: int) -> None:
    """A tenth more at OpenAI's regional addresses, or wherever the setting says, for models from gpt-5.4 on."""
    prices = PriceList(Book(regional=regional))
    assert prices.price(model, USAGE, base_url=base_url, at=WHEN) == Cost(nanodollars)


def test_azure_deployments_by_a_map() -> None:
    """A deployment's name, in any case, stands for the model that the map says."""
    prices = PriceList(Book(aliases={"House-Chat": "gpt-4o"}))
    assert prices.price("house-chat", USAGE, provider="azure", at=WHEN) == Cost(3_500_000)
    assert prices.normalise("HOUSE-CHAT", provider="azure") == "azure/gpt-4o"
    assert isinstance(PriceList().price("house-chat", USAGE, provider="azure", at=WHEN), Unpriced)


@pytest.mark.parametrize("model", ["", "x" * 10_240, "gpt-9", None, 7, "\ud800", "ft:", "ft:::", "/", "a/b"])
def test_names_of_no_model_have_no_price(model: str) -> None:
    """Whatever stands there: a short reason, no exception."""
    found = PriceList().price(model, USAGE, at=WHEN)
    assert isinstance(found, Unpriced)
    assert found.kind == "model"
    assert len(found.reason) < 250


def test_prices_that_change_within_a_day() -> None:
    """DeepSeek's rates depend on the hour: a remembered one would be wrong at the next."""
    prices = PriceList()
    day = [datetime(2026, 11, 23, hour, tzinfo=UTC) for hour in range(24)]
    list_of_that_model = prices._data
    prices.normalise("deepseek-v4-pro", provider="deepseek")
    entry = list_of_that_model.find("deepseek", "deepseek-v4-pro")
    assert entry is not None
    for moment in day:
        listed = entry.info.get_prices(moment)
        plain = [getattr(rate, "base", rate) for rate in (listed.input_mtok, listed.output_mtok)]
        expected = Cost(int(plain[0] * 1_000 * 1_000 + plain[1] * 100 * 1_000))
        assert prices.price("deepseek-v4-pro", USAGE, provider="deepseek", at=moment) == expected


def test_no_pattern_of_the_list_meets_a_local_address() -> None:
    """Each provider's pattern, tried at addresses that are nobody's, stays silent."""
    prices = PriceList()
    prices.normalise("gpt-4o")
    for provider in prices._data.snapshot.providers:
        assert re.match(provider.api_pattern, "http://127.0.0.1:8000/v1") is None
