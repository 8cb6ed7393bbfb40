"""The ledger: what an upstream was asked and what it billed. All other counts are compared with it.

It has its own table of prices, in whole nano-dollars per token, and uses nothing of the gateway's pricing. So a fault
in one of the two shows as a difference.
"""

from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any, Self

# A request with more prompt tokens than this is billed at the long-context rates as a whole.
LONG_CONTEXT_TOKENS = 272_000


@dataclass(frozen=True)
class Price:
    """Rates of one model in nano-dollars per token (1 USD per million tokens = 1,000).

    For long requests OpenAI charges the three prompt rates twice, and the completion's 1.5 times. So `output` must be
    even, or the bill is not exact.
    """

    input: int
    cached: int
    cache_write: int
    output: int

    def bill(self, usage: "BilledUsage", tier: str = "default") -> int:
        """The price of one call at the answer's tier, rounded to the nearest nano-dollar."""
        return round(TIERS[tier] * self._standard(usage))

    def _standard(self, usage: "BilledUsage") -> int:
        prompt = usage.prompt * self.input + usage.cached * self.cached + usage.cache_write * self.cache_write
        completion = (usage.completion + usage.reasoning) * self.output
        if usage.prompt_tokens > LONG_CONTEXT_TOKENS:
            return 2 * prompt + completion * 3 // 2
        return prompt + completion


# The price of a tier, as a multiple of the standard price; the same for all models below (retrieved 2026-11-23).
TIERS = {"default": Fraction(1), "flex": Fraction(1, 2), "batch": Fraction(1, 2), "priority": Fraction(2)}

# OpenAI's list prices of 2026-11-23, standard tier.
PRICES = {
    "gpt-6-luna": Price(input=100, cached=10, cache_write=125, output=500),
    "gpt-6.1-terra": Price(input=1_000, cached=50, cache_write=1_250, output=5_000),
    "gpt-6.1-sol": Price(input=2_000, cached=100, cache_write=2_500, output=10_000),
    "gpt-6-astra": Price(input=10_000, cached=1_000, cache_write=12_500, output=50_000),
    "gpt-6-sol": Price(input=2_000, cached=200, cache_write=2_500, output=10_000),
}

EMBEDDING_PRICES = {"text-embedding-3-small": Price(input=20, cached=20, cache_write=20, output=0)}


@dataclass(frozen=True)
class BilledUsage:
    """Tokens of one call by disjoint type, so that their sum is the total.

    `prompt` is neither cached nor written to the cache, `completion` is not reasoning.
    """

    prompt: int = 0
    cached: int = 0
    cache_write: int = 0
    completion: int = 0
    reasoning: int = 0

    @property
    def prompt_tokens(self) -> int:
        """Prompt tokens as the API counts them: the cached and the written ones are part of them."""
        return self.prompt + self.cached + self.cache_write

    @property
    def completion_tokens(self) -> int:
        """Completion tokens as the API counts them: the reasoning ones are part of them."""
        return self.completion + self.reasoning

    @property
    def total(self) -> int:
        """All tokens."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: "BilledUsage") -> "BilledUsage":
        return BilledUsage(
            self.prompt + other.prompt,
            self.cached + other.cached,
            self.cache_write + other.cache_write,
            self.completion + other.completion,
            self.reasoning + other.reasoning,
        )


@dataclass
class Outcomes:
    """Outcomes of requests: how many by HTTP status, with tokens and money of the billed ones."""

    statuses: dict[int, int] = field(default_factory=dict)
    usage: BilledUsage = BilledUsage()
    nanodollars: int = 0

    @property
    def answered(self) -> int:
        """Calls with a completion, which are the ones that cost something."""
        return self.statuses.get(200, 0)

    @property
    def requests(self) -> int:
        """Requests with any outcome."""
        return sum(self.statuses.values())

    def add(self, other: "Outcomes") -> None:
        """Add the counts of another one to this one."""
        for status, count in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        self.usage += other.usage
        self.nanodollars += other.nanodollars


@dataclass
class Account:
    """One model: the requests that came in, and their outcomes.

    `abandoned` counts requests whose client had left before the answer, which is billed although the client never saw
    it. `untold` counts requests that were answered and billed, but whose answer did not state the usage: a stream that
    was cut, or for which the client did not ask for usage. A request that came in and is in none of these is still
    under way. `endpoints` counts the requests by endpoint.
    """

    received: int = 0
    delivered: Outcomes = field(default_factory=Outcomes)
    abandoned: Outcomes = field(default_factory=Outcomes)
    untold: Outcomes = field(default_factory=Outcomes)
    endpoints: dict[str, int] = field(default_factory=dict)


@dataclass
class Ledger:
    """Accounts by the requested model; the account "" is for requests that name no model."""

    models: dict[str, Account] = field(default_factory=dict)

    def account(self, model: str) -> Account:
        """The account of a model, opened at its first use."""
        return self.models.setdefault(model, Account())

    def receive(self, model: str, endpoint: str = "chat.completions") -> None:
        """Count a request as it comes in."""
        account = self.account(model)
        account.received += 1
        account.endpoints[endpoint] = account.endpoints.get(endpoint, 0) + 1

    def record(
        self,
        model: str,
        status: int,
        *,
        abandoned: bool,
        untold: bool = False,
        usage: BilledUsage = BilledUsage(),
        nanodollars: int = 0,
    ) -> None:
        """Count the outcome of one request."""
        account = self.account(model)
        outcomes = account.abandoned if abandoned else account.untold if untold else account.delivered
        outcomes.add(Outcomes({status: 1}, usage, nanodollars))

    def total(self) -> Account:
        """All models in one account."""
        total = Account()
        for account in self.models.values():
            total.received += account.received
            total.delivered.add(account.delivered)
            total.abandoned.add(account.abandoned)
            total.untold.add(account.untold)
            for endpoint, count in account.endpoints.items():
                total.endpoints[endpoint] = total.endpoints.get(endpoint, 0) + count
        return total

    def to_json(self) -> dict[str, Any]:
        """The ledger as plain values for JSON, which `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The ledger that `to_json` wrote. Raises KeyError or TypeError for anything else."""
        return cls(
            {
                model: Account(
                    account["received"],
                    _outcomes(account["delivered"]),
                    _outcomes(account["abandoned"]),
                    _outcomes(account["untold"]),
                    dict(account["endpoints"]),
                )
                for model, account in document["models"].items()
            }
        )


def _outcomes(document: dict[str, Any]) -> Outcomes:
    # JSON has no whole-number keys
    statuses = {int(status): count for status, count in document["statuses"].items()}
    return Outcomes(statuses, BilledUsage(**document["usage"]), document["nanodollars"])
