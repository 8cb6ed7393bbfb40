"""Which names are one model: what they are counted under, and what ends on which day."""

import pytest

from fleetmeter.pricing import PriceList, shutdown_timestamp


@pytest.mark.parametrize(
    "name",
    [
        "gpt-5.1-mini", "gpt-5.1-codex", "gpt-5.1-codex-max", "gpt-5.1-codex-mini", "gpt-5.1-chat-latest",
        "gpt-5-codex", "gpt-5-chat-latest", "gpt-5-search-api", "gpt-5.2-codex", "gpt-4o-mini-search-preview",
        "gpt-4o-transcribe-diarize", "gpt-audio-1.5", "gpt-realtime-2.1", "gpt-realtime-2.1-mini",
    ],
)  # fmt: skip
def test_models_that_cost_the_same_are_not_the_same(name: str) -> None:
    """genai-prices lists them with another model: they keep their own name, whatever their case."""
    prices = PriceList()
    assert prices.normalise(name) == name
    assert prices.normalise(name.upper()) == name
    assert name in prices.models()


@pytest.mark.parametrize(("name", "like"), [("gpt-5-codex", "gpt-5"), ("gpt-5.1-codex-max", "gpt-5.1")])
def test_what_shares_a_price_does_not_share_its_end(name: str, like: str) -> None:
    """gpt-5 stops answering on a day that says nothing about gpt-5-codex."""
    assert shutdown_timestamp(like) is not None
    assert shutdown_timestamp(PriceList().normalise(name)) is None


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("gpt-5-1-codex", "gpt-5.1-codex"),
        ("gpt-4o-mini-search-preview-2025-03-11", "gpt-4o-mini-search-preview"),
        ("gpt-5-1-2025-11-13", "gpt-5.1"),
        ("gpt-35-turbo", "gpt-3.5-turbo"),
        ("gpt-4-0613", "gpt-4"),
        ("gpt-4-turbo-preview", "gpt-4-turbo"),
        ("gpt-6-sol-20260901", "gpt-6-sol"),
        ("computer-use-preview-2025-03-11", "computer-use"),
        ("gpt-4o-realtime-preview-2025-06-03", "gpt-4o-realtime-preview"),
        ("openai/gpt-6-luna", "gpt-6-luna"),
        ("groq/llama-3.3-70b-versatile", "groq/llama-3.3-70b-versatile"),
        ("ft:gpt-4o-mini-2024-07-18:acme::abc", "ft:gpt-4o-mini"),
        ("ft:gpt-4o-2024-08-06:acme:x:abc", "ft:gpt-4o"),
        ("ft:gpt-3.5-turbo-0125:acme::abc", "ft:gpt-3.5-turbo"),
        ("ft:gpt-4-0613:acme::abc", "ft:gpt-4"),
        ("ft:gpt-4.1-mini-2025-04-14:acme::abc", "ft:gpt-4.1-mini"),
        ("ft:gpt-3.5-turbo-and-more:acme::abc", "other"),
        ("gpt-5-nano-and-more", "other"),
        ("gpt-4.5-previewed", "other"),
        ("nobody/gpt-4o", "other"),
        ("claude-sonnet-4-5", "other"),
        ("tiny.gguf", "other"),
    ],
)
def test_names_and_what_they_are_counted_under(name: str, model: str) -> None:
    """Snapshots, spellings, routers' prefixes and fine-tunes lead to one name each, which leads to itself."""
    prices = PriceList()
    assert prices.normalise(name) == model
    assert prices.normalise(model) == model


def test_every_name_is_one_that_is_announced() -> None:
    """`models` has what `normalise` gives for each name that genai-prices lists, so that a label set fits."""
    from fleetmeter.pricing.naming import exact_names

    prices = PriceList()
    known = prices.models()
    (listed,) = (one.models for one in prices._data.snapshot.providers if one.id == "openai")
    names = {name for entry in listed for name in (*exact_names(entry), entry.id)}
    assert len(names) > 150
    assert {prices.normalise(name) for name in names} - {"other"} <= known
    assert not [name for entry in listed for name in exact_names(entry) if prices.normalise(name) == "other"]
    assert {prices.normalise(name) for name in known} <= known
