"""What a caller is told whose budget is used up, or cannot be asked."""

from datetime import UTC, datetime

from fleetmeter.llm.guards import record_key_rejection
from fleetmeter_app.errors import ApiError
from fleetmeter_app.guarding.budgets.config import Budget
from fleetmeter_app.guarding.budgets.windows import end_of

_SOON = 120.0
"""Seconds: OpenAI's SDKs are not told to wait longer."""

_HELD_RETRY = 1.0
"""Seconds after which a call may find room that only calls under way have taken."""


class OverBudget(ApiError):
    """A call would exceed a budget: 429.

    If what was spent leaves no room, it says until when, and that trying again is of no use. If only calls under way
    hold the room, they may cost less than they could, and the client may try again.
    """

    def __init__(self, budget: Budget, *, start: int, spent: int, held: int, most: int, now: float) -> None:
        until = end_of(budget.window, start)
        spent_out = spent + most > budget.limit_nanodollars
        left = (until - datetime.fromtimestamp(now, UTC)).total_seconds()
        super().__init__(
            429,
            "insufficient_quota" if spent_out else "rate_limit_error",
            f"The budget {budget.name!r} has no room for this call: {usd(spent)} of {usd(budget.limit_nanodollars)} "
            f"USD are spent this {budget.window}, calls under way hold {usd(held)}, and this one may cost {usd(most)}. "
            f"It begins anew at {until:%Y-%m-%d %H:%M} UTC.",
            code="insufficient_quota" if spent_out else "budget_held",
            retry_after=_HELD_RETRY if not spent_out else left if 0 < left <= _SOON else None,
            should_retry=not spent_out,
        )
        self.budget = budget.name


def unknown_budget(name: str) -> ApiError:
    """A key names a budget that the configuration lacks: nobody may take that for no limit."""
    record_key_rejection("budget")
    return ApiError(
        403,
        "invalid_request_error",
        f"This key is under the budget {name!r}, which this gateway's configuration does not have.",
        code="unknown_budget",
        should_retry=False,
    )


def unavailable() -> ApiError:
    """The store is away, and budgets are not to be guessed."""
    return ApiError(
        503,
        "server_error",
        "Budgets cannot be checked just now; try again in a moment.",
        code="store_unavailable",
        retry_after=1.0,
    )


def usd(nanodollars: int) -> str:
    """Dollars with no more digits than are needed: `1`, `0.25`, `0.000123`."""
    whole, rest = divmod(nanodollars, 1_000_000_000)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")
