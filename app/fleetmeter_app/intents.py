"""Which kind of question a query is, by the rules of the configuration."""

import re
from collections.abc import Sequence

from fleetmeter_app.config import GatewayConfig


class IntentClassifier:
    """The rules of a configuration, ready to be asked: the first intent that fits, else the default."""

    def __init__(self, config: GatewayConfig) -> None:
        self._default = config.default_intent
        self._rules = tuple(
            (intent.name, ((_whole_words(intent.keywords),) if intent.keywords else ()) + intent.patterns)
            for intent in config.intents.values()
        )

    def classify(self, query: str) -> str:
        """The name of the query's intent."""
        for name, patterns in self._rules:
            if any(pattern.search(query) for pattern in patterns):
                return name
        return self._default


def _whole_words(keywords: Sequence[str]) -> re.Pattern[str]:
    # Any space may stand between the words of a keyword, and keywords such as "p/e" may begin or end with
    # anything, which rules \b out.
    words = ("\\s+".join(re.escape(word) for word in keyword.split()) for keyword in keywords)
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE)
