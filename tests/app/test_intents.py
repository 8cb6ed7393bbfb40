"""A query gets the first intent whose rules fit, else the default."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.routing.intents import IntentClassifier

RULES = """
default_intent = "other_things"
baseline_tier = "only"
[tiers.only]
model = "m"
[intents.first]
tier = "only"
keywords = ["price", "balance sheet", "P/E", "C++"]
[intents.second]
tier = "only"
keywords = ["price", "chart"]
patterns = ['^\\$[A-Z]{1,5}$', '(?i)should i buy']
[intents.elsewhere]
tier = "only"
keywords = ["größe", "цена", "价格", "alt\N{LATIN SMALL LETTER DOTLESS I}n", "€ rate", "?!"]
patterns = [
    '(?ix) price \\s+ (?: today | now | in \\s .+ )', '(?i)k[- ]?(line|chart)s?\\b|\\bsilk\\b', '(?a)\\bwork\\b',
]
[intents.by_name_only]
tier = "only"
[intents.other_things]
tier = "only"
"""


@pytest.mark.parametrize(
    ("query", "intent"),
    [
        ("TSLA price", "first"),
        ("price?", "first"),
        ("PRICE of gold", "first"),
        ("the chart and the price", "first"),  # in the order of the rules, not of the words
        ("chart", "second"),
        ("priceless", "other_things"),
        ("reprice", "other_things"),
        ("price_list", "other_things"),
        ("the balance \n sheet", "first"),
        ("balance of the sheet", "other_things"),
        ("its P/E, please", "first"),
        ("p/e", "first"),
        ("up/even", "other_things"),
        ("pxe", "other_things"),
        ("C++", "first"),
        ("CC", "other_things"),
        ("$TSLA", "second"),
        ("$tsla", "other_things"),
        ("Should I BUY it?", "second"),
        ("by_name_only", "other_things"),
        ("", "other_things"),
        ("Ünïcode", "other_things"),
        ("pricé", "other_things"),
        ("priceé", "other_things"),
        ("é PRICE é", "first"),
        ("STRAßE, GRÖßE", "elsewhere"),
        ("Größen", "other_things"),
        ("ЦЕНА?", "elsewhere"),
        ("цены", "other_things"),
        ("价格", "elsewhere"),
        ("价格上涨", "other_things"),  # whole words here, too
        ("ALTIN", "elsewhere"),
        ("the \N{KELVIN SIGN}-line", "elsewhere"),
        ("what?!", "other_things"),
        ("what ?!", "elsewhere"),
    ],
)
def test_a_query_gets_the_first_intent_that_fits(query: str, intent: str) -> None:
    """Keywords are whole words in any case, patterns stand as they are, and the order of the file decides."""
    assert IntentClassifier(GatewayConfig.from_toml(RULES)).classify(query) == intent


@pytest.mark.parametrize(
    ("query", "intent"),
    [
        ("TSLA price", "price_only"),
        ("AAPL", "price_only"),
        ("what is MSFT trading at", "price_only"),
        ("TSLA price chart with RSI and MACD", "technical_analysis"),
        ("Is NVDA above its 200-day average?", "technical_analysis"),
        ("Summarise the news on AMD", "news_summary"),
        ("Why is INTC down today?", "news_summary"),
        ("How strong is the balance sheet of Ford?", "fundamental_analysis"),
        ("Should I sell my TSLA shares?", "portfolio_advice"),
        ("How should I rebalance my portfolio?", "portfolio_advice"),
        ("What is an index fund?", "general"),
    ],
)
def test_the_packaged_rules_know_the_questions_of_a_finance_assistant(query: str, intent: str) -> None:
    """Each packaged intent is found by a question that a person would ask."""
    assert IntentClassifier(GatewayConfig.load()).classify(query) == intent


CONFIGS = [GatewayConfig.load(), GatewayConfig.from_toml(RULES)]
CLASSIFIERS = [IntentClassifier(config) for config in CONFIGS]
KEYWORDS = [word for config in CONFIGS for intent in config.intents.values() for word in intent.keywords]
PIECES = st.sampled_from([
    *KEYWORDS, *{part for word in KEYWORDS for part in word.split()},
    "should", "i", "buy", "worth", "holding", "50", "200", "day", "SMA", "ebitda", "10-K", "what", "has", "happened",
    "why", "is", "are", "fallen", "up", "AAPL", "$TSLA", "?", "K", "today", "now", "in", "-line", " chart", "charts",
    "silk", "wor\N{KELVIN SIGN}", "work", "é", "ß", "_", "-", "/", ".",
]) | st.text(max_size=3)  # fmt: skip
SHOWN = st.sampled_from([str, str.upper, str.lower, str.title, str.swapcase])
DOTLESS, DOTTED = "\N{LATIN SMALL LETTER DOTLESS I}", "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}"
TWINS: list[dict[str, str | int | None]] = [
    {},
    {"i": DOTLESS},
    {"i": DOTTED, "I": DOTLESS},
    dict.fromkeys("sS", "\N{LATIN SMALL LETTER LONG S}"),
    dict.fromkeys("kK", "\N{KELVIN SIGN}"),
]


def by_plain_expressions(config: GatewayConfig, query: str) -> str:
    """The rule as the configuration tells it: all keywords in one expression, and each pattern as it stands."""
    for intent in config.intents.values():
        words = "|".join("\\s+".join(map(re.escape, keyword.split())) for keyword in intent.keywords)
        if words and re.search(rf"(?<!\w)(?:{words})(?!\w)", query, re.IGNORECASE):
            return intent.name
        if any(pattern.search(query) for pattern in intent.patterns):
            return intent.name
    return config.default_intent


@given(st.lists(st.tuples(PIECES, SHOWN, st.sampled_from(["", " ", " ", " ", "\n", "-", "é", "\u2003"])), max_size=8),
       st.sampled_from(TWINS))  # fmt: skip
def test_the_quick_way_finds_what_the_plain_expressions_find(
    pieces: list[tuple[str, Callable[[str], str], str]], twins: dict[str, str | int | None]
) -> None:
    """For any text and rules: in other alphabets, with letters that have a twin in ASCII, with odd spaces."""
    query = "".join(shown(piece) + space for piece, shown, space in pieces).translate(str.maketrans(twins))
    for config, classifier in zip(CONFIGS, CLASSIFIERS, strict=True):
        assert classifier.classify(query) == by_plain_expressions(config, query)
