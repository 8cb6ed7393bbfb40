"""Which kind of question a query is, by the rules of the configuration."""

import re
from collections.abc import Sequence

from fleetmeter_app.config.gateway import GatewayConfig

_WORD = re.compile(r"\w+")


class IntentClassifier:
    """The rules of a configuration, ready to be asked: the first intent that fits, else the default."""

    def __init__(self, config: GatewayConfig) -> None:
        self._default = config.default_intent
        self._rules = tuple(
            (intent.name, Keywords(intent.keywords), intent.patterns)
            for intent in config.intents.values()
            if intent.keywords or intent.patterns
        )

    def classify(self, query: str) -> str:
        """The name of the query's intent."""
        words = set(_WORD.findall(query.lower())) if query.isascii() else None
        for name, keywords, patterns in self._rules:
            if keywords.found_in(query, words):
                return name
            for pattern in patterns:
                if pattern.search(query):
                    return name
        return self._default


class Keywords:
    """Keywords that are looked for as whole words, in any case.

    One expression with all of them is right for any text, and slow: it is tried at each letter. A text in ASCII is
    taken apart into its words once, which are looked up; only a keyword of several words has to be searched for, and
    only if the text has all of them.
    """

    def __init__(self, keywords: Sequence[str]) -> None:
        self._any = _whole_words(keywords) if keywords else None
        self._single = frozenset(word.lower() for word in keywords if word.isascii() and _WORD.fullmatch(word))
        self._several = tuple(
            (frozenset(_WORD.findall(keyword.lower())), _whole_words([keyword]))
            for keyword in keywords
            if keyword.lower() not in self._single
        )
        # a text that has none of these has no keyword of several words; one without a word is looked for in any text
        self._signs = frozenset(max(needed, key=len, default="") for needed, _ in self._several)

    def found_in(self, query: str, words: set[str] | None) -> bool:
        """Whether one of them stands in the query; `words` are its words in small letters if it is ASCII, else None."""
        if words is None:
            return self._any is not None and self._any.search(query) is not None
        if not self._single.isdisjoint(words):
            return True
        if "" not in self._signs and self._signs.isdisjoint(words):
            return False
        return any(needed <= words and pattern.search(query) for needed, pattern in self._several)


def _whole_words(keywords: Sequence[str]) -> re.Pattern[str]:
    # Any space may stand between the words of a keyword, and keywords such as "p/e" may begin or end with
    # anything, which rules \b out.
    words = ("\\s+".join(re.escape(word) for word in keyword.split()) for keyword in keywords)
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE)
