"""Where keys, rates, budgets, circuit breakers and the answer cache plug in; and what stands there while they do not.

Everything on a request's way answers from memory, or by one call of the store with a short limit of its own.
"""

from dataclasses import dataclass, field
from typing import Protocol

from fleetmeter_app.caching.cache import Reply, direct
from fleetmeter_app.caching.flight import Make
from fleetmeter_app.caching.question import Asked, Question
from fleetmeter_app.guarding.budgets.reservation import Reservation
from fleetmeter_app.guarding.budgets.scopes import Scopes
from fleetmeter_app.guarding.caller import ANONYMOUS, Caller


class KeysSeam(Protocol):
    """Who asks, by the `authorization` header; raises `ApiError` (401) for nobody known."""

    async def caller(self, authorization: str | None) -> Caller: ...  # noqa: D102


class RatesSeam(Protocol):
    """Counts a request against its caller's rate; raises `ApiError` (429) above it."""

    async def take(self, caller: Caller) -> None: ...  # noqa: D102


class BudgetsSeam(Protocol):
    """Reserves before a call and settles after it. `settle` with None: nobody knows the cost, the bound stays charged.

    A reservation with `downgrade_to` holds nothing: the call goes to that tier, and is reserved again as `downgraded`.

    `active` says whether there are budgets at all: without them no bound has to be worked out.
    """

    @property
    def active(self) -> bool: ...  # noqa: D102
    async def reserve(  # noqa: D102
        self, scopes: Scopes, most_nanodollars: int, *, downgraded: bool = False
    ) -> Reservation: ...
    async def settle(self, reservation: Reservation, nanodollars: int | None) -> None: ...  # noqa: D102


class BreakersSeam(Protocol):
    """One per replica. `refuses` tells the seconds until the next try, None if a deployment may be called.

    Whoever calls it says so with `begins`, and then either reports how it ended or, if that tells nothing about the
    deployment, abandons it.
    """

    def refuses(self, deployment: str) -> float | None: ...  # noqa: D102
    def begins(self, deployment: str) -> None: ...  # noqa: D102
    def abandon(self, deployment: str) -> None: ...  # noqa: D102
    def report(self, deployment: str, *, failed: bool, retry_after: float | None = None) -> None: ...  # noqa: D102


class CacheSeam(Protocol):
    """The cache of answers.

    `question` is None for a request whose answer is not to be shared. `answer` looks up, joins or leads; `make` calls
    the upstream. `invalidate` removes entries and returns how many.
    """

    def question(self, asked: Asked) -> Question | None: ...  # noqa: D102
    async def answer(self, question: Question | None, intent: str, make: Make) -> Reply: ...  # noqa: D102
    async def invalidate(self, model: str | None, tenant: str | None) -> int: ...  # noqa: D102
    async def reachable(self) -> bool: ...  # noqa: D102
    async def close(self) -> None: ...  # noqa: D102


class NoKeys:
    """Everybody may ask."""

    async def caller(self, authorization: str | None) -> Caller:  # noqa: ARG002
        """Nobody in particular."""
        return ANONYMOUS


class NoRates:
    """As often as they like."""

    async def take(self, caller: Caller) -> None:
        """Let it pass."""


class NoBudgets:
    """Whatever it costs."""

    active = False

    async def reserve(
        self,
        scopes: Scopes,  # noqa: ARG002
        most_nanodollars: int,  # noqa: ARG002
        *,
        downgraded: bool = False,  # noqa: ARG002
    ) -> Reservation:
        """Nothing is set aside."""
        return Reservation()

    async def settle(self, reservation: Reservation, nanodollars: int | None) -> None:
        """Nothing was set aside."""


class NoBreakers:
    """Every deployment may be called at any time."""

    def refuses(self, deployment: str) -> float | None:  # noqa: ARG002
        """It may be called."""
        return None

    def begins(self, deployment: str) -> None:
        """Nobody keeps it."""

    def abandon(self, deployment: str) -> None:
        """Nobody keeps it."""

    def report(self, deployment: str, *, failed: bool, retry_after: float | None = None) -> None:
        """Nobody keeps it."""


class NoCache:
    """Nothing is kept."""

    def question(self, asked: Asked) -> Question | None:  # noqa: ARG002
        """No answer is to be kept."""
        return None

    async def answer(self, question: Question | None, intent: str, make: Make) -> Reply:  # noqa: ARG002
        """The upstream's own."""
        return await direct("off", make)

    async def invalidate(self, model: str | None, tenant: str | None) -> int:  # noqa: ARG002
        """There is nothing to remove."""
        return 0

    async def reachable(self) -> bool:
        """There is nothing to reach."""
        return True

    async def close(self) -> None:
        """There is nothing to close."""


@dataclass(frozen=True)
class Seams:
    """Everything that is plugged in."""

    keys: KeysSeam = field(default_factory=NoKeys)
    rates: RatesSeam = field(default_factory=NoRates)
    budgets: BudgetsSeam = field(default_factory=NoBudgets)
    breakers: BreakersSeam = field(default_factory=NoBreakers)
    cache: CacheSeam = field(default_factory=NoCache)
