"""The questions of the load: repeated ones, which the cache can answer, new ones, faulty ones, and refused ones."""

import json
import random
from dataclasses import dataclass

from fleetmeter_app.config.gateway import GatewayConfig

_TICKERS = ("TSLA", "AAPL", "NVDA", "MSFT", "AMZN", "GOOG", "META", "INTC", "ORCL", "SAP")
_TOPICS = (
    "{ticker} price",
    "What is the 200-day moving average of {ticker}?",
    "{ticker} earnings and cash flow of the last quarter",
    "Latest news on {ticker}",
    "Should I buy {ticker} for a balanced portfolio?",
    "Explain what {ticker} does",
)

_FALL_BACK = ("404", "429", "500", "503", "context_length")
"""Faults after which the router goes on to the next model."""

_END_AT_FIRST = ("400", "401")
"""Faults after which the router does not go on: one call, no fallback, and an error for the client."""


@dataclass(frozen=True)
class Question:
    """One request of the load: its body and content type.

    `key` identifies a question that may be repeated; it is None for one that never is. `ends_at_first` says that the
    first model answers with an error after which no other model is asked.
    """

    body: bytes
    content_type: str = "application/json"
    key: str | None = None
    ends_at_first: bool = False


class Questions:
    """An endless mix of questions, the same for the same seed.

    `trouble` adds questions that ask for a fault, which only the demo's own upstream understands.
    """

    def __init__(self, config: GatewayConfig, *, trouble: bool, seed: int = 7) -> None:
        self._config = config
        self._draw = random.Random(seed)  # noqa: S311  not for secrets
        self._number = 0
        self._popular = [topic.format(ticker=ticker) for topic in _TOPICS for ticker in _TICKERS]
        self._draw.shuffle(self._popular)
        self._popularity = [1 / (5 + rank) for rank in range(len(self._popular))]
        kinds = [(62, self._repeat), (22, self._new), (5, self._refused)]
        if trouble:
            kinds += [(6, self._falling_back), (3, self._retried), (2, self._failing)]
        self._shares = [share for share, _ in kinds]
        self._makers = [maker for _, maker in kinds]

    def next(self) -> Question:
        """The next request to make."""
        (maker,) = self._draw.choices(self._makers, self._shares)
        return maker()

    def _repeat(self) -> Question:
        (query,) = self._draw.choices(self._popular, self._popularity)
        return Question(_body(query), key=query)

    def _new(self) -> Question:
        return Question(_body(self._fresh()))

    def _falling_back(self) -> Question:
        intent = self._draw.choice(tuple(self._config.intents))
        model = self._config.tiers[self._config.intents[intent].tier].model
        return Question(_body(f"{self._fresh()} [[fault:{self._draw.choice(_FALL_BACK)}@{model}]]", intent))

    def _retried(self) -> Question:
        return Question(_body(f"{self._fresh()} [[fault:429,times=1]]"))

    def _failing(self) -> Question:
        return Question(_body(f"{self._fresh()} [[fault:{self._draw.choice(_END_AT_FIRST)}]]"), ends_at_first=True)

    def _refused(self) -> Question:
        return self._draw.choice(
            (
                Question(_body("")),
                Question(_body("TSLA price", "no-such-intent")),
                Question(b'{"query": '),
                Question(_body("TSLA price"), content_type="text/plain"),
            )
        )

    def _fresh(self) -> str:
        """A question that nobody asked before."""
        self._number += 1
        return f"{self._draw.choice(self._popular)} ({self._number})"


def _body(query: str, intent: str | None = None) -> bytes:
    return json.dumps({"query": query} if intent is None else {"query": query, "intent": intent}).encode()
