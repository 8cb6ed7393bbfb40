"""A query gets the first intent whose rules fit, else the default."""

import pytest

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
