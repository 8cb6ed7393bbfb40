"""Money that is held for one call."""

from dataclasses import dataclass, field

from fleetmeter_app.guarding.budgets.account import Account


@dataclass(eq=False)
class Reservation:
    """Money that is held for one call, until it is settled. With `downgrade_to` nothing is: the call is to go there."""

    nanodollars: int = 0
    downgrade_to: str | None = None
    parts: tuple[tuple[Account, int], ...] = ()
    settled: bool = field(default=False, repr=False)
