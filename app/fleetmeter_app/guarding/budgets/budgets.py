"""Budgets on the way of a request: money is held before a call, by one script call, and settled after it."""

import logging
from collections.abc import Callable, Collection
from time import monotonic, time

from fleetmeter.llm.guards import create_guard_children, record_budget_rejection
from fleetmeter_app.guarding.budgets.config import BudgetsConfig
from fleetmeter_app.guarding.budgets.conversation import Conversation
from fleetmeter_app.guarding.budgets.exchange import Question
from fleetmeter_app.guarding.budgets.refusals import OverBudget, unavailable, unknown_budget, usd
from fleetmeter_app.guarding.budgets.reservation import Reservation
from fleetmeter_app.guarding.budgets.scopes import Accounts, Charge, Scopes
from fleetmeter_app.guarding.door import Door

log = logging.getLogger("fleetmeter.app")


class Budgets:
    """The budgets of one replica. Start it before the first call, and close it after the last one.

    While the store is away, calls are held and settled by what was known last, if `fail_open`; else those that a
    budget binds are refused. What was spent meanwhile is told once the store is back.
    """

    def __init__(
        self,
        door: Door,
        config: BudgetsConfig,
        *,
        fail_open: bool = True,
        clock: Callable[[], float] = monotonic,
        wall_clock: Callable[[], float] = time,
    ) -> None:
        self._accounts = Accounts(config, door.keys.budget)
        self._conversation = Conversation(door, self._accounts, clock, wall_clock)
        self.configure(config, fail_open=fail_open)

    def configure(self, config: BudgetsConfig, *, fail_open: bool) -> None:
        """Take other budgets, from the next call on."""
        self._fail_open = fail_open
        self._accounts.configure(config)
        create_guard_children(budgets=[(budget.name, budget.action) for budget in config])

    @property
    def active(self) -> bool:
        """Whether there are budgets at all."""
        return bool(self._accounts.budgets)

    async def start(self) -> None:
        """Begin to speak with the store."""
        self._conversation.start()

    async def close(self) -> None:
        """Tell the store what is left to tell, if it answers, and end."""
        await self._conversation.close()

    async def reserve(self, scopes: Scopes, most_nanodollars: int, *, downgraded: bool = False) -> Reservation:
        """Hold what a call may cost at most, in every budget that it is under, or in none.

        Raises `OverBudget` if one has no room. If one without room downgrades, nothing is held and the answer names
        the tier to go to: reserve again for its model, as `downgraded`, which those budgets only count.
        """
        try:
            charges = self._accounts.of(scopes)
        except LookupError as error:
            raise unknown_budget(str(error.args[0])) from None
        if not charges:
            return Reservation()
        question = Question(
            most_nanodollars, [(charge.account, _limit(charge, downgraded=downgraded)) for charge in charges]
        )
        if not await self._conversation.ask(question):
            self._answer_here(question)
        if question.refused >= 0:
            return self._refuse(charges[question.refused], most_nanodollars)
        self._alert(charges)
        parts = tuple((account, start) for (account, _), start in zip(question.parts, question.starts, strict=True))
        return Reservation(most_nanodollars, parts=parts)

    async def settle(self, reservation: Reservation, nanodollars: int | None) -> None:
        """Charge what a call has cost, 0 if nothing, in the place of what was held. A second time does nothing.

        None stands for a cost that nobody knows: all that was held is charged, and marked as assumed. Does not wait
        for the store.
        """
        if reservation.settled:
            return
        reservation.settled = True
        held = reservation.nanodollars
        for account, start in reservation.parts:
            account.settle(start, held, held if nanodollars is None else nanodollars, assumed=nanodollars is None)
        if reservation.parts:
            self._conversation.tell_soon()

    def _answer_here(self, question: Question) -> None:
        """Decide by what this replica knows. Raises `ApiError` if it is not to."""
        if not self._fail_open:
            raise unavailable()
        now = self._conversation.now()
        for place, (account, limit) in enumerate(question.parts):
            if limit is not None and account.used(now) + question.nanodollars > limit:
                question.refused = place
                return
        question.hold([account.period(now) for account, _ in question.parts])

    def _refuse(self, charge: Charge, most: int) -> Reservation:
        budget, account = charge.budget, charge.account
        record_budget_rejection(budget.name, budget.action)
        if budget.action == "downgrade":
            return Reservation(downgrade_to=budget.tier)
        now = self._conversation.now()
        start = account.period(now)
        spent = account.spent_so_far(now)
        held = max(0, account.used(now) - spent)
        raise OverBudget(budget, start=start, spent=spent, held=held, most=most, now=now)

    def _alert(self, charges: Collection[Charge]) -> None:
        for charge in charges:
            budget, account = charge.budget, charge.account
            if budget.action == "alert" and account.spent >= budget.limit_nanodollars:
                record_budget_rejection(budget.name, "alert")
                if account.alerted != account.start:
                    account.alerted = account.start
                    spent, limit = usd(account.spent), usd(budget.limit_nanodollars)
                    log.warning("the budget %s is used up: %s of %s USD; calls go on", budget.name, spent, limit)


def _limit(charge: Charge, *, downgraded: bool) -> int | None:
    action = charge.budget.action
    counts_only = action == "alert" or (action == "downgrade" and downgraded)
    return None if counts_only else charge.budget.limit_nanodollars
