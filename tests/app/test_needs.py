"""What a rule needs of a text is there whenever the rule fits, and tells most texts apart."""

import logging
import re
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.routing import expressions
from fleetmeter_app.routing.expressions import needs_of_expression
from fleetmeter_app.routing.intents import IntentClassifier
from fleetmeter_app.routing.needs import Needs, folded, needs_of_keyword, plain

EVERY = "".join(map(chr, range(sys.maxunicode + 1)))


def test_a_plain_text_has_a_character_for_each() -> None:
    """So what stands at a place of one stands there in the other."""
    assert len(plain(EVERY)) == len(EVERY)
    assert plain("What\u2019s N_1's PRICE, 価格\ud800?") == b"what s n_1 s price" + b" " * 6


def test_letters_of_one_case_are_the_same() -> None:
    """What an expression takes for a letter of ASCII becomes that letter, and no other character does."""
    for letter in "abcdefghijklmnopqrstuvwxyz0123456789_":
        same = set(re.findall(letter, EVERY, re.IGNORECASE))
        assert {one for one in same if plain(one) != letter.encode()} == set()
        assert {folded(one) for one in same} == {letter}
        assert plain(EVERY).count(letter.encode()) == len(same)


@pytest.mark.parametrize(
    ("expression", "words", "start"),
    [
        (r"(?i)\bshould i (buy|sell)\b", [{"should"}, {"i"}, {"buy", "sell"}], "should i "),
        (r"\b(SMA|EMA)\b", [{"sma", "ema"}], ""),
        (r"(?i)\b(50|100)[- ]day\b", [{"50", "100"}, {"day"}], ""),
        (r"\b(10-K|DCF)\b", [{"10", "dcf"}], ""),
        (r"(?i)\bwhat (has )?happened\b", [{"what"}, {"happened"}], "what "),
        (r"(?i)\bwhy (is|are) .+ (up|down)", [{"why"}, {"is", "are"}], "why "),
        (r"\bfair\s+value\b", [{"fair"}, {"value"}], "fair"),
        (r"\bfair\s*value\b", [], "fair"),
        (r"\bfair[ _]value\b", [], "fair"),
        (r"^prices?\b", [], "price"),
        (r"^price\b", [{"price"}], "price"),
        (r"price$", [], "price"),
        (r"\$price$", [{"price"}], " price"),
        (r"\bbuy|sell\b", [], ""),
        (r"\bbuy\b|\bsell\b", [{"buy", "sell"}], ""),
        (r"(\bbuy\b)?", [], ""),
        (r"(?:\bbuy )+now\b", [{"buy"}], "buy "),
        (r"\b(?>buy) now\b", [{"buy"}, {"now"}], "buy now"),
        (r"\b(?=b)buy\b", [], ""),
        (r"(?a)\bbuy\b", [], ""),
        (r"\b(?a:buy)\b", [], ""),
        (r"\w+", [], ""),
        (r"\bgröße\b", [{"gr"}, {"e"}], "gr  e"),
        (r"\b[^a]buy\b", [], ""),
        (r"^\s*\$?[A-Z]{1,5}$", [], ""),
    ],
)
def test_an_expression_says_what_it_needs(expression: str, words: list[set[str]], start: str) -> None:
    """Whole words, of alternatives one of each, and how a match begins if that is long enough to be worth a look."""
    needs = needs_of_expression(re.compile(expression))
    assert [{word.decode() for word in some} for some in needs.words] == words
    assert needs.start.decode() == start


def test_a_keyword_says_what_it_needs() -> None:
    """All its words; one without letters of ASCII needs nothing that a plain text has."""
    needs = needs_of_keyword("Moving  average, P/E")
    assert needs.words == tuple(frozenset([word]) for word in (b"moving", b"average", b"p", b"e"))
    assert needs.start == b"moving"
    assert needs_of_keyword("価格 上昇") == needs_of_keyword("?!")
    assert not needs_of_keyword("?!").words


def parser_of(*parts: Any) -> ModuleType:
    """A parser of `re` that reads every expression as these parts."""
    module = ModuleType("re._parser")
    vars(module)["parse"] = lambda *_: list(parts)
    return module


PYTHONS = {
    "no parser": None,
    "a parser without parse": ModuleType("re._parser"),
    "parts without names": parser_of(("LITERAL", 98)),
    "parts of three": parser_of((SimpleNamespace(name="LITERAL"), 98, 0)),
    "a group of two": parser_of((SimpleNamespace(name="SUBPATTERN"), (1, 0))),
    "a repetition that is a number": parser_of((SimpleNamespace(name="MAX_REPEAT"), 5)),
}


@pytest.mark.parametrize("name", PYTHONS)
def test_a_python_that_shows_no_parts_chooses_the_same_intents(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the parser of `re`, or with one that speaks differently, patterns need nothing, and that is told once."""
    expressions._tell_once.cache_clear()
    monkeypatch.setitem(sys.modules, "re._parser", PYTHONS[name])
    with caplog.at_level(logging.WARNING, "fleetmeter.app"):
        classifier = IntentClassifier(GatewayConfig.load())
        assert needs_of_expression(re.compile(r"\bbuy now\b")) == Needs()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "does not show what is in a regular expression" in caplog.text
    assert classifier.classify("Should I buy AAPL?") == "portfolio_advice"
    expressions._tell_once.cache_clear()


LONG_S = "\N{LATIN SMALL LETTER LONG S}"
ATOMS = st.sampled_from([
    "buy", "Sell", "k", f"{LONG_S}o", "ß", "é", "_", "-", " ", "0", ".", r"\b", r"\B", "^", "$", r"\s", r"\W", r"\w",
    "[- ]", "[a-c]", "[^b]", "(?=b)", "(?<!s)", r"\bbuy\b", r"\bsell ", r"[- ]so\b", r"\bk\b",
])  # fmt: skip
EXPRESSIONS = st.recursive(
    st.lists(ATOMS, min_size=1, max_size=4).map("".join),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["?", "*", "+", "{2}", "{1,2}", "??", "*+"])).map(
            lambda two: f"({two[0]}){two[1]}"
        ),
        inner.map(lambda one: f"(?>{one})"),
        inner.map(lambda one: f"(?i:{one})"),
    ),
    max_leaves=5,
)
TEXTS = st.lists(st.sampled_from([
    "buy", "BUY", "sell", "Sell", "k", "\N{KELVIN SIGN}", "so", f"{LONG_S}O", "ß", "ẞ", "é", "É", "_", "-", " ", "\n",
    "0", "b",
]), max_size=8).map("".join)  # fmt: skip


@given(EXPRESSIONS, st.sampled_from([0, re.IGNORECASE, re.MULTILINE, re.IGNORECASE | re.ASCII]), TEXTS)
def test_what_an_expression_needs_is_there_if_it_fits(expression: str, flags: int, text: str) -> None:
    """Whatever it is made of: every match begins with the start, and its text has a word of each set."""
    compiled = re.compile(expression, flags)
    needs = needs_of_expression(compiled)
    words = set(plain(text).split())
    for place in range(len(text) + 1):
        if compiled.match(text, place):
            assert plain(text).startswith(needs.start, place)
            assert all(not some.isdisjoint(words) for some in needs.words)
