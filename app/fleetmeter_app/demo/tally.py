"""The client's own counts, made from its replies only."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fleetmeter.llm import Usage
from fleetmeter_app.demo.questions import Question

_OK = 200

_REFUSALS = frozenset(
    {
        "content_type", "body_too_large", "malformed_json", "invalid_body", "empty_query", "query_too_long",
        "unknown_intent",
    }
)  # fmt: skip
"""Error codes of requests that the gateway refuses before it chooses a model."""


@dataclass
class Tally:
    """Requests and their outcomes; tokens by disjoint type, money in whole nano-dollars.

    `unknown` are requests whose outcome the client does not know. `untold` are requests whose reply does not say how
    many models were asked. If there is any of either, the true counts may be larger than the client's.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    replicas: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    untold: int = 0
    selections: int = 0
    hits: int = 0
    paid_answers: int = 0
    calls: int = 0
    fallbacks: int = 0
    tokens: Counter[str] = field(default_factory=Counter)
    nanodollars: int = 0
    _hits_by_key: Counter[str] = field(default_factory=Counter)
    _costs_by_key: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    @property
    def requests(self) -> int:
        """Requests with a known outcome."""
        return self.statuses.total()

    @property
    def misses(self) -> int:
        """Questions that the cache did not answer."""
        return self.selections - self.hits

    @property
    def saved_nanodollars(self) -> int:
        """What the answers from the cache had cost when they were paid for, at least."""
        return sum(count * min(self._costs_by_key.get(key, {0})) for key, count in self._hits_by_key.items())

    @property
    def savings_are_exact(self) -> bool:
        """Whether each question that the cache answered had been paid for at one known price."""
        return all(len(self._costs_by_key.get(key, ())) == 1 for key in self._hits_by_key)

    def lose(self) -> None:
        """Count a request that got no reply."""
        self.unknown += 1

    def record(self, replica: str, question: Question, status: int, reply: Mapping[str, Any]) -> None:
        """Count a reply of `POST /ask`; `reply` is its JSON object, empty if it has none."""
        self.statuses[status] += 1
        self.replicas[replica] += 1
        if status == _OK:
            self._record_answer(question, reply)
        elif (reply.get("error") or {}).get("code") not in _REFUSALS:
            self._record_failure(question)

    def _record_answer(self, question: Question, reply: Mapping[str, Any]) -> None:
        self.selections += 1
        if reply["cached"]:
            self.hits += 1
            self._hits_by_key[question.key or ""] += 1
            return
        self.calls += 1 + len(reply["fallbacks"])
        self.fallbacks += len(reply["fallbacks"])
        self.paid_answers += 1
        cost = reply["cost_nanodollars"] or 0  # null for a model without a price, which adds nothing to any count
        self.nanodollars += cost
        if question.key is not None:
            self._costs_by_key[question.key].add(cost)
        if reply["usage"] is not None:
            self.tokens.update(_usage(reply["usage"]).disjoint())

    def _record_failure(self, question: Question) -> None:
        if question.ends_at_first:
            self.selections += 1
            self.calls += 1
        else:
            self.untold += 1


def _usage(stated: Mapping[str, int]) -> Usage:
    return Usage(
        prompt=stated["prompt_tokens"],
        completion=stated["completion_tokens"],
        cached=stated["cached_tokens"],
        cache_write=stated["cache_write_tokens"],
        reasoning=stated["reasoning_tokens"],
    )
