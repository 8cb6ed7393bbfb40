"""The user's file of prices: what it may say, what is refused by name, and how a change is taken in."""

import logging
from decimal import Decimal
from pathlib import Path

import pytest

from fleetmeter.errors import SettingError
from fleetmeter.llm import Usage
from fleetmeter.pricing import Cost, PriceList, Unpriced

DOCUMENTATION = (Path(__file__).parents[3] / "docs" / "pricing.md").read_text()
FILE = """
provider = "openai"
regional = true

[providers]
"http://localhost:8000" = "local"

[aliases]
"house-chat" = "gpt-4o"

[models."llama-*"]
provider = "local"
input = 0
output = 0

[models.support]
model = "ft:gpt-4o-mini-*:acme:support:*"
input = 0.30
cached_input = 0.15
output = 1.20

[models."ft:gpt-4o-mini-*"]
input = 1
output = 2

[models.voice]
input = 1
output = 2
audio_in = 10
audio_out = 20
cache_write = 1.25
cache_write_12h = 2.5
reasoning = 3

[models.voice.tiers.batch]
input = 0.5
output = 1

[models.voice.tiers.batch.long_context]
threshold_tokens = 1000
input = 1
output = 1.5
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with all that it may say."""
    file = tmp_path / "prices.toml"
    file.write_text(FILE)
    return file


def rewritten(path: Path, text: str) -> None:
    """Another content, put in place at once."""
    other = path.with_suffix(".new")
    other.write_text(text)
    other.replace(path)


def look(prices: PriceList) -> PriceList:
    """Let a second pass, and have the list look at its file."""
    assert prices._file is not None
    prices._file._next_look = 0.0
    prices.normalise("gpt-4o")
    return prices


def test_all_that_a_file_may_say(path: Path) -> None:
    """Patterns, names, providers, tiers, long context, audio, reasoning and writes, each in its place."""
    prices = PriceList.from_file(path)
    usage = Usage(prompt=1_000, cached=400, completion=100)
    assert prices.price("llama-9b", usage, base_url="http://localhost:8000/v1") == Cost(0)
    assert isinstance(prices.price("llama-9b", usage), Unpriced)
    fine_tune = "ft:gpt-4o-mini-2024-07-18:acme:support:abc"
    assert prices.price(fine_tune, usage) == Cost(600 * 300 + 400 * 150 + 100 * 1_200)
    assert prices.normalise(fine_tune) == "support"
    other = "FT:gpt-4o-mini-2024-07-18:acme:sales:abc"
    assert prices.price(other, usage) == Cost(1_000 * 1_000 + 100 * 2_000)
    assert prices.normalise(other) == "ft:gpt-4o-mini-{}"
    assert {"support", "voice", "llama-{}", "ft:gpt-4o-mini-{}", "gpt-6-sol"} <= prices.models()
    heard = Usage(prompt=100, audio_in=40, cache_write=50, cache_write_12h=20, completion=30, reasoning=5, audio_out=9)
    assert prices.price("voice", heard) == Cost(
        10 * 1_000 + 40 * 10_000 + 30 * 1_250 + 20 * 2_500 + 16 * 2_000 + 5 * 3_000 + 9 * 20_000
    )
    assert prices.price("voice", Usage(prompt=1_000), tier="batch") == Cost(1_000 * 500)
    assert prices.price("voice", Usage(prompt=1_001), tier="batch") == Cost(1_001 * 1_000)
    assert prices.price("house-chat", usage) == PriceList().price("gpt-4o", usage)
    assert prices.price("gpt-6-sol", Usage(prompt=1_000)) == Cost(2_200_000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modles = 1", "prices.toml: modles: is unknown; expected provider, regional, providers, aliases, models"),
        ("regional = 1", "prices.toml: regional: 1 is neither true nor false"),
        ("provider = 3", "prices.toml: provider: 3 is no name"),
        ("models = 3", "prices.toml: models: 3 is no table"),
        ("aliases = []", "prices.toml: aliases: [] is no table"),
        ("[aliases]\na = 1", "prices.toml: aliases.a: 1 is no name"),
        ("[providers]\n'http://x' = ''", "prices.toml: providers.http://x: '' is no name"),
        ("[models.m]\ninput = 1", "prices.toml: models.m.output: is missing; expected US dollars per million tokens"),
        ("[models.m]\ninput = 1\noutput = 2\ninptu = 3", "prices.toml: models.m.inptu: is unknown; expected input"),
        ("[models.m]\ninput = 'x'\noutput = 2", "prices.toml: models.m.input: 'x' is no number; expected US dollars"),
        ("[models.m]\ninput = nan\noutput = 2", "is no price; expected US dollars per million tokens, 0 or more"),
        ("[models.m]\ninput = 1e300\noutput = 2", "is no price"),
        ("[models.m]\ninput = 1e-300\noutput = 2", "is no price"),
        ("[models.m]\ninput = 1\noutput = 2\nprovider = 3", "prices.toml: models.m.provider: 3 is no name"),
        (
            "[models.m]\ninput = 1\noutput = 2\ntiers = 3",
            "prices.toml: models.m.tiers: 3 is no table; expected tables named flex, priority, batch",
        ),
        (
            "[models.m]\ninput = 1\noutput = 2\n[models.m.tiers.scale]\ninput = 1\noutput = 1",
            "prices.toml: models.m.tiers.scale: is no tier; expected flex, priority, batch",
        ),
        (
            "[models.m]\ninput = 1\noutput = 2\n[models.m.tiers.batch]\ninput = 1",
            "prices.toml: models.m.tiers.batch.output: is missing",
        ),
        ("[models", "prices.toml: is no TOML: "),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    """The error names the file, the key, what was found and what was expected."""
    file = tmp_path / "prices.toml"
    file.write_text(text)
    with pytest.raises(SettingError) as caught:
        PriceList.from_file(file)
    assert message in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """No file, a folder, or no UTF-8: an error with its name."""
    (tmp_path / "latin.toml").write_bytes(b"# \xe4\n")
    for name in ("missing.toml", ".", "latin.toml"):
        with pytest.raises(SettingError, match="cannot be read"):
            PriceList.from_file(tmp_path / name)


def test_a_change_is_taken_in(path: Path) -> None:
    """At the second look after the change, a price that was remembered is the new one."""
    prices = PriceList.from_file(path)
    usage = Usage(prompt=1_000)
    assert prices.price("voice", usage) == Cost(1_000_000)
    rewritten(path, "[models.voice]\ninput = 7\noutput = 7\n")
    look(prices)
    assert prices.price("voice", usage) == Cost(1_000_000)
    look(prices)
    assert prices.price("voice", usage) == Cost(7_000_000)
    assert prices.own["voice"].input == Decimal(7)


def test_a_file_that_is_being_written_is_not_half_read(path: Path) -> None:
    """While it grows from look to look, the old prices stay, although each part of it could be read."""
    prices = PriceList.from_file(path)
    path.write_text("")
    for part in ("[models.a]\ninput = 1\noutput = 1\n", "[models.b]\ninput = 1\noutput = 1\n"):
        look(prices)
        assert "voice" in prices.own
        with path.open("a") as file:
            file.write(part)
    look(look(prices))
    assert list(prices.own) == ["a", "b"]


def test_a_broken_file_keeps_the_old_prices(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Broken, then gone: one line in the log for each, and the prices stay; a good one is taken in again."""
    prices = PriceList.from_file(path)
    with caplog.at_level(logging.WARNING):
        rewritten(path, "[models.voice]\ninput = 'seven'\noutput = 7\n")
        for _ in range(5):
            look(prices)
        (line,) = (record.getMessage() for record in caplog.records)
        assert line.startswith(f"the old prices stay in force: {path}: models.voice.input: 'seven' is no number; ")
        path.unlink()
        for _ in range(5):
            look(prices)
        assert len(caplog.records) == 2
    assert prices.price("voice", Usage(prompt=1_000)) == Cost(1_000_000)
    rewritten(path, "[models.voice]\ninput = 8\noutput = 7\n")
    look(look(prices))
    assert prices.price("voice", Usage(prompt=1_000)) == Cost(8_000_000)


def test_a_file_is_not_looked_at_for_each_price(path: Path) -> None:
    """Within a second of a look, a change is not even seen."""
    prices = look(PriceList.from_file(path))
    path.unlink()
    assert prices._file is not None
    seen = prices._file._seen
    for _ in range(100):
        prices.price("voice", Usage(prompt=1))
    assert prices._file._seen == seen is not None


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    """What docs/pricing.md shows can be used, and prices as it says."""
    file = tmp_path / "prices.toml"
    file.write_text(DOCUMENTATION.partition("```toml")[2].partition("```")[0])
    prices = PriceList.from_file(file)
    usage = Usage(prompt=1_000, cached=500, completion=100)
    assert prices.price("llama-9b", usage, base_url="http://10.0.0.5:8000/v1") == Cost(0)
    assert prices.price("openai/gpt-4o", usage, base_url="https://litellm.example.org/") == Cost(2_875_000)
    assert prices.price("house-chat", usage) == Cost(2_875_000)
    assert prices.price("ft:gpt-4o-mini-2024-07-18:acme:support:x", usage) == Cost(345_000)
    assert prices.price("house", Usage(prompt=200_001)) == Cost(200_001 * 2_000)
    assert prices.price("house", usage, tier="batch") == Cost(700_000)
    assert isinstance(prices.price("house", usage, tier="flex"), Unpriced)
