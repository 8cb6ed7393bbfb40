"""The questions to `POST /ask`: repeated ones, which the cache can answer, new ones, faulty ones, and refused ones."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.demo.gateway_toml import RESEARCH, SYMBOL
from fleetmeter_app.demo.teams import Team

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


class Subjects:
    """What is asked about, and by which of the `teams`; the same for the same seed.

    There are popular subjects, some of them more than others, and new ones.
    """

    def __init__(self, seed: int, teams: Sequence[Team]) -> None:
        self._teams = teams
        self.draw = random.Random(seed)  # noqa: S311  not for secrets
        self._number = 0
        self._popular = [topic.format(ticker=ticker) for topic in _TOPICS for ticker in _TICKERS]
        self.draw.shuffle(self._popular)
        self._popularity = [1 / (5 + rank) for rank in range(len(self._popular))]

    def popular(self) -> str:
        """A question that others ask, too."""
        return self.draw.choices(self._popular, self._popularity)[0]

    def fresh(self) -> str:
        """A question that nobody asked before."""
        self._number += 1
        return f"{self.draw.choice(self._popular)} ({self._number})"

    def team(self) -> str:
        """Who asks; empty if there are no teams."""
        return self.draw.choice(self._teams).name if self._teams else ""


@dataclass(frozen=True)
class Question:
    """One request to `/ask`: whose it is, its body and content type.

    `key` identifies a question that may be repeated; it is None for one that never is. `ends_at_first` says that the
    first model answers with an error after which no other model is asked.
    """

    body: bytes
    team: str = ""
    content_type: str = "application/json"
    key: str | None = None
    ends_at_first: bool = False


class Questions:
    """Makes questions of each kind."""

    def __init__(self, config: GatewayConfig, seed: int, teams: Sequence[Team]) -> None:
        self._config = config
        self._subjects = Subjects(seed, teams)

    def kinds(self, *, trouble: bool) -> list[tuple[int, Callable[[], Question]]]:
        """Who makes each kind, and how many of each are asked for one of the others.

        `trouble` adds questions that ask for a fault or a tool, which only the demo's own upstream understands.
        """
        kinds: list[tuple[int, Callable[[], Question]]] = [(32, self._repeat), (10, self._new), (3, self._refused)]
        if trouble:
            kinds += [(4, self._falling_back), (2, self._retried), (2, self._failing), (3, self._research)]
        return kinds

    def _repeat(self) -> Question:
        query = self._subjects.popular()
        return self._asked(query, key=query)

    def _new(self) -> Question:
        return self._asked(self._subjects.fresh())

    def _falling_back(self) -> Question:
        return self._faulty(_FALL_BACK)

    def _retried(self) -> Question:
        return self._asked(f"{self._subjects.fresh()} [[fault:429,times=1]]")

    def _failing(self) -> Question:
        return self._faulty(_END_AT_FIRST, ends_at_first=True)

    def _faulty(self, faults: tuple[str, ...], *, ends_at_first: bool = False) -> Question:
        """One at which the intent's first model fails. If that model is left alone now, the next one answers."""
        draw = self._subjects.draw
        intent = draw.choice(tuple(self._config.intents))
        model = self._config.tiers[self._config.intents[intent].tier].model
        query = f"{self._subjects.fresh()} [[fault:{draw.choice(faults)}@{model}]]"
        return self._asked(query, intent, ends_at_first=ends_at_first)

    def _research(self) -> Question:
        """One whose model asks for two tools, and gets the second one wrong."""
        calls = f'[[call:indicator {{"symbol": "{SYMBOL}", "kind": "rsi"}}]] [[call:latest_quote {{"symbol": "NONE"}}]]'
        return self._asked(f"{self._subjects.fresh()} {calls}", RESEARCH)

    def _refused(self) -> Question:
        team = self._subjects.team()
        return self._subjects.draw.choice(
            (
                Question(_body(""), team),
                Question(_body("TSLA price", "no-such-intent"), team),
                Question(b'{"query": ', team),
                Question(_body("TSLA price"), team, content_type="text/plain"),
            )
        )

    def _asked(
        self, query: str, intent: str | None = None, *, key: str | None = None, ends_at_first: bool = False
    ) -> Question:
        return Question(_body(query, intent), self._subjects.team(), key=key, ends_at_first=ends_at_first)


def _body(query: str, intent: str | None = None) -> bytes:
    return json.dumps({"query": query} if intent is None else {"query": query, "intent": intent}).encode()
