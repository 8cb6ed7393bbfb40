"""Which kind of question a query is, by the rules of the configuration."""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass

from fleetmeter_app.config.chains import Intent
from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.routing.expressions import needs_of_expression
from fleetmeter_app.routing.needs import Needs, folded, needs_of_keyword, plain

_ONE_WORD = re.compile(r"\w+", re.ASCII)


class IntentClassifier:
    """The rules of a configuration, ready to be asked: the first intent that fits, else the default.

    The words of a query are looked up among those that rules need, all at once. Only a rule that finds its words there
    is tried.
    """

    def __init__(self, config: GatewayConfig) -> None:
        self._default = config.default_intent
        self._intents = [_Rules(intent) for intent in config.intents.values()]
        self._always = [rules for rules in self._intents if rules.always]
        self._awaited = frozenset[bytes]().union(*(rules.awaited for rules in self._intents))
        self._folds = any(rule.literals for rules in self._always for rule in rules.always)

    def classify(self, query: str) -> str:
        """The name of the query's intent."""
        text = plain(query)
        words = self._awaited.intersection(text.split())
        small = folded(query) if self._folds else ""
        for rules in self._intents if words else self._always:
            if rules.fit(query, text, words, small):
                return rules.name
        return self._default


@dataclass(frozen=True)
class _Rule:
    """A keyword or a pattern: its expression, and what every text has that it fits.

    `literals` are looked for in the folded text.
    """

    expression: re.Pattern[str]
    needs: Needs
    literals: Sequence[str] = ()

    def may_fit(self, words: Set[bytes], small: str) -> bool:
        """Whether a query has what it needs, given the awaited words in it and its folded text."""
        for needed in self.needs.words:
            if needed.isdisjoint(words):
                return False
        return not self.literals or all(literal in small for literal in self.literals)

    def fits(self, query: str, text: bytes) -> bool:
        """Whether it is found in a query, given its plain text, too."""
        start = self.needs.start
        if not start:
            return self.expression.search(query) is not None
        place = text.find(start)
        while place >= 0:
            if self.expression.match(query, place):
                return True
            place = text.find(start, place + 1)
        return False


class _Rules:
    """The rules of an intent. `awaited` are the words that some of them need; those in `always` need none."""

    def __init__(self, intent: Intent) -> None:
        self.name = intent.name
        self._words = {plain(word): _keyword(word) for word in intent.keywords if _ONE_WORD.fullmatch(word)}
        others = [_keyword(words) for words in intent.keywords if not _ONE_WORD.fullmatch(words)]
        others += [_Rule(pattern, needs_of_expression(pattern)) for pattern in intent.patterns]
        self._others = [rule for rule in others if rule.needs.words]
        self.always = [rule for rule in others if not rule.needs.words]
        needed = [words for rule in others for words in rule.needs.words]
        self.awaited = frozenset(self._words).union(*needed)

    def fit(self, query: str, text: bytes, words: Set[bytes], small: str) -> bool:
        """Whether one of them fits a query, given its plain text, the awaited words in it, and its folded text."""
        rules = self.always
        if not self.awaited.isdisjoint(words):
            keywords = self._words.keys() & words
            if keywords and query.isascii():
                return True  # in ASCII a word of the plain text is one of the query
            if any(self._words[word].fits(query, text) for word in keywords):
                return True
            rules = self._others + rules
        return any(rule.may_fit(words, small) and rule.fits(query, text) for rule in rules)


def _keyword(keyword: str) -> _Rule:
    # Any space may stand between the words of a keyword, and keywords such as "p/e" may begin or end with
    # anything, which rules \b out.
    words = keyword.split()
    text = "\\s+".join(map(re.escape, words))
    expression, needs = re.compile(rf"(?<!\w){text}(?!\w)", re.IGNORECASE), needs_of_keyword(keyword)
    return _Rule(expression, needs, () if needs.words else [folded(word) for word in words])
