"""The client's own counts, made from its replies only."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fleetmeter_app.demo.traffic.questions import Question
from fleetmeter_app.demo.traffic.sdk_questions import SdkQuestion
from fleetmeter_app.upstream.ledger import EMBEDDING_PRICES, PRICES, BilledUsage, Outcomes, Price

ASK = "/ask"
CHATS, EMBEDDINGS = "chat.completions", "embeddings"

_OK = 200

_BEFORE_ANY_CHOICE = frozenset(
    {
        "content_type", "body_too_large", "malformed_json", "invalid_body", "empty_query", "query_too_long",
        "unknown_intent",
    }
)  # fmt: skip
"""Error codes of requests that the gateway refuses before it chooses a model."""

_REFUSED_BY = {
    "invalid_api_key": "key",
    "insufficient_quota": "budget",
    "budget_held": "budget",
    "circuit_open": "circuit",
}
"""Which guard of the gateway refuses a request, by the error's code."""


def _listed() -> Mapping[str, Price]:
    return PRICES | EMBEDDING_PRICES


@dataclass
class Tally:
    """Requests and their outcomes; tokens by disjoint type, money in whole nano-dollars.

    `unknown` are requests whose outcome the client does not know. `untold` are requests whose reply does not say how
    many models were asked. If there is any of either, the true counts may be larger than the client's. `estimated` is,
    by model, what streams have cost that were left before their usage was told, by the gateway's rule for them.
    `prices` are what the client prices usages with: its own, and none of the gateway's.
    """

    prices: Mapping[str, Price] = field(default_factory=_listed)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    statuses: Counter[int] = field(default_factory=Counter)
    replicas: Counter[str] = field(default_factory=Counter)
    paths: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    unknown: int = 0
    untold: int = 0
    selections: int = 0
    hits: int = 0
    misses: int = 0
    puts: int = 0
    paid_answers: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    fallbacks: int = 0
    streams: int = 0
    left: Counter[str] = field(default_factory=Counter)
    first_tokens: int = 0
    tools: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    embedding_tokens: int = 0
    nanodollars: int = 0
    spent: Counter[str] = field(default_factory=Counter)
    estimated: dict[str, Outcomes] = field(default_factory=dict)
    _hits_by_key: Counter[tuple[str, str]] = field(default_factory=Counter)
    _costs_by_key: defaultdict[tuple[str, str], set[int]] = field(default_factory=lambda: defaultdict(set))

    @property
    def requests(self) -> int:
        """Requests with a known outcome."""
        return self.statuses.total()

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

    def see(self, replica: str, path: str, status: int, *, repeated: bool = False) -> None:
        """Count a reply. `repeated` says that the SDK had sent the request before."""
        self.statuses[status] += 1
        self.replicas[replica] += 1
        self.paths[path] += 1
        self.repeated += repeated

    def record(self, replica: str, question: Question, status: int, reply: Mapping[str, Any]) -> None:
        """Count a reply of `POST /ask`; `reply` is its JSON object, empty if it has none."""
        self.see(replica, ASK, status)
        if status == _OK:
            self._record_answer(question, reply)
            return
        code = (reply.get("error") or {}).get("code")
        if code in _REFUSED_BY and code != "circuit_open":
            self.refuse(code)
        elif question.ends_at_first:
            self.fail(CHATS)
        elif code not in _BEFORE_ANY_CHOICE:
            self.untold += 1

    def refuse(self, code: str) -> None:
        """Count a refusal by one of the gateway's guards. It comes before any call, but a key's after no choice."""
        guard = _REFUSED_BY[code]
        self.refusals[guard] += 1
        if guard != "key":
            self.selections += 1
            self.misses += 1

    def fail(self, endpoint: str) -> None:
        """Count a call of one model that brought an error."""
        self.selections += 1
        self.misses += 1
        self.calls[endpoint] += 1

    def refused(self, question: SdkQuestion, endpoint: str, code: str) -> None:
        """Count an error that the SDK got; the models after the first are not known to have been asked."""
        if code in _REFUSED_BY:
            self.refuse(code)
        elif len(question.chain) == 1:
            self.fail(endpoint)
        else:
            self.untold += 1

    def answer(
        self, question: SdkQuestion, endpoint: str, model: str, usage: BilledUsage, cache: str, *, stream: bool = False
    ) -> None:
        """Count an answer that the SDK got; `cache` is what the gateway says of it: hit, miss or off."""
        self.selections += 1
        if cache == "hit":
            self._hit(question.team, question.key)
            return
        if cache == "miss":
            self.misses += 1
            self.puts += 1
        self.calls[endpoint] += 1
        self.streams += stream
        # Nothing makes these calls fail, so models before the one that answered were left alone by the breaker.
        self.fallbacks += question.chain.index(model)
        self._pay(question.team, question.key, self.prices[model].bill(usage))
        self._use(usage)
        if endpoint == EMBEDDINGS:
            self.embedding_tokens += usage.total

    def leave(self, question: SdkQuestion, model: str, usage: BilledUsage, *, told: bool) -> None:
        """Count a stream that the client left, and whose `usage` was told, or is estimated."""
        self.selections += 1
        self.calls[CHATS] += 1
        self.left["reported" if told else "estimated"] += 1
        self.fallbacks += question.chain.index(model)
        cost = self.prices[model].bill(usage)
        self._pay(question.team, None, cost)
        self._use(usage)
        if not told:
            self.estimated.setdefault(model, Outcomes()).add(Outcomes({_OK: 1}, usage, cost))

    def _record_answer(self, question: Question, reply: Mapping[str, Any]) -> None:
        self.selections += 1
        if reply["cached"]:
            self._hit(question.team, question.key)
            return
        # If tools were run, the model was asked once before them and once after.
        answers = 2 if reply["tools"] else 1
        self.tools.update(tool["status"] for tool in reply["tools"])
        self.misses += answers
        self.puts += answers
        self.fallbacks += len(reply["fallbacks"])
        # A model that the breaker leaves alone was not called.
        self.calls[CHATS] += answers + sum(reason != "circuit_open" for reason in reply["fallbacks"])
        cost = reply["cost_nanodollars"] or 0  # null for a model without a price, which adds nothing to any count
        self._pay(question.team, question.key, cost, answers)
        if reply["usage"] is not None:
            self._use(billed_usage(reply["usage"]))

    def _hit(self, team: str, key: str | None) -> None:
        self.hits += 1
        self._hits_by_key[team, key or ""] += 1

    def _pay(self, team: str, key: str | None, nanodollars: int, answers: int = 1) -> None:
        self.paid_answers += answers
        self.nanodollars += nanodollars
        self.spent[team] += nanodollars
        if key is not None:
            self._costs_by_key[team, key].add(nanodollars)

    def _use(self, usage: BilledUsage) -> None:
        for kind in ("prompt", "cached", "cache_write", "completion", "reasoning"):
            self.tokens[kind] += getattr(usage, kind)


def billed_usage(stated: Mapping[str, Any]) -> BilledUsage:
    """The tokens by disjoint type, from the usage of any endpoint below `/v1`, or of `/ask`."""
    prompt = stated.get("prompt_tokens", stated.get("input_tokens", 0))
    completion = stated.get("completion_tokens", stated.get("output_tokens", 0))
    details = stated.get("prompt_tokens_details") or stated.get("input_tokens_details") or stated
    more = stated.get("completion_tokens_details") or stated.get("output_tokens_details") or stated
    cached, cache_write = details.get("cached_tokens") or 0, details.get("cache_write_tokens") or 0
    reasoning = more.get("reasoning_tokens") or 0
    return BilledUsage(prompt - cached - cache_write, cached, cache_write, completion - reasoning, reasoning)
