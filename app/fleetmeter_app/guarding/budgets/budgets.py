"""Budgets on the way of a request: money is held before a call, by one script call, and settled after it."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from time import monotonic, time

from fleetmeter.errors import StoreError
from fleetmeter.llm.guards import create_guard_children, record_budget, record_budget_rejection
from fleetmeter_app.guarding.background import Background
from fleetmeter_app.guarding.budgets.account import Account
from fleetmeter_app.guarding.budgets.config import BudgetsConfig
from fleetmeter_app.guarding.budgets.exchange import Exchange, Question
from fleetmeter_app.guarding.budgets.refusals import OverBudget, unavailable, unknown_budget, usd
from fleetmeter_app.guarding.budgets.reservation import Reservation
from fleetmeter_app.guarding.budgets.scopes import Accounts, Charge, Scopes
from fleetmeter_app.guarding.door import Door

log = logging.getLogger("fleetmeter.app")

HEARTBEAT = 5.0
"""Seconds between two calls that tell everything: they renew what is held, and mend a store that was rolled back."""

_SETTLED_WITHIN = 0.05
"""Seconds that a settlement waits for others, or for a question, to go along with."""

_AGAIN = 0.5
"""Seconds between two tries while the store is away."""

_AT_ONCE = 0.25
"""Seconds within which a failure is no store that hangs: a request can wait for a second try."""

_MOST_QUESTIONS, _MOST_ACCOUNTS = 256, 100
"""In one call, so that none is long."""


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
        self._wall_clock = wall_clock
        self._accounts = Accounts(config, door.keys.budget)
        self._exchange = Exchange(door, self._accounts.every, clock)
        self._questions: list[tuple[Question, asyncio.Future[None]]] = []
        self._background = Background(self._beat)
        self._next_beat = 0.0
        self._away = False
        self._nudge: asyncio.TimerHandle | None = None
        self._alerted: set[tuple[str, int]] = set()
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
        self._background.start()

    async def close(self) -> None:
        """Tell the store what is left to tell, if it answers, and end."""
        if not await self._background.stop():
            return
        for _, waiting in self._questions:
            waiting.cancel()
        untold = [account for account in self._accounts.every() if account.untold]
        for at in range(0, len(untold), _MOST_ACCOUNTS):
            if not await self._speak(untold[at : at + _MOST_ACCOUNTS], []):
                break

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
        await self._ask(question)
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
        if reservation.parts and self._nudge is None and not self._away:
            self._nudge = asyncio.get_running_loop().call_later(_SETTLED_WITHIN, self._remind)

    def _remind(self) -> None:
        self._nudge = None
        self._background.wake()

    async def _ask(self, question: Question) -> None:
        if self._away:
            self._answer_here(question)
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._questions.append((question, waiting))
        self._background.wake()
        try:
            await waiting
        except asyncio.CancelledError:
            question.abandoned = True
            self._give_back(question)
            raise
        if not question.starts and question.refused < 0:  # no answer came
            self._answer_here(question)

    def _answer_here(self, question: Question) -> None:
        """Decide by what this replica knows. Raises `ApiError` if it is not to."""
        if not self._fail_open:
            raise unavailable()
        now = self._now()
        for place, (account, limit) in enumerate(question.parts):
            if limit is not None and account.used(now) + question.nanodollars > limit:
                question.refused = place
                return
        question.starts = tuple(account.period(now) for account, _ in question.parts)
        for (account, _), start in zip(question.parts, question.starts, strict=True):
            account.hold(start, question.nanodollars)

    def _give_back(self, question: Question) -> None:
        for (account, _), start in zip(question.parts, question.starts, strict=False):
            account.settle(start, question.nanodollars, 0, assumed=False)
        question.starts = ()

    def _refuse(self, charge: Charge, most: int) -> Reservation:
        budget, account = charge.budget, charge.account
        record_budget_rejection(budget.name, budget.action)
        if budget.action == "downgrade":
            return Reservation(downgrade_to=budget.tier)
        now = self._now()
        start = account.period(now)
        spent = account.spent_so_far(now)
        held = max(0, account.used(now) - spent)
        raise OverBudget(budget, start=start, spent=spent, held=held, most=most, now=now)

    def _alert(self, charges: Collection[Charge]) -> None:
        for charge in charges:
            budget, account = charge.budget, charge.account
            if budget.action == "alert" and account.spent >= budget.limit_nanodollars:
                record_budget_rejection(budget.name, "alert")
                if (account.key, account.start or 0) not in self._alerted:
                    self._alerted.add((account.key, account.start or 0))
                    spent, limit = usd(account.spent), usd(budget.limit_nanodollars)
                    log.warning("the budget %s is used up: %s of %s USD; calls go on", budget.name, spent, limit)

    def _now(self) -> float:
        return self._wall_clock() + self._exchange.ahead

    async def _beat(self) -> float:
        """Have the questions answered and tell what is untold; all of it if that is due. Seconds until that is."""
        loop = asyncio.get_running_loop()
        due = loop.time() >= self._next_beat
        asked = [item for item in self._questions[:_MOST_QUESTIONS] if not item[0].abandoned]
        self._questions = self._questions[_MOST_QUESTIONS:]
        if self._questions:
            self._background.wake()
        named = dict.fromkeys(account for question, _ in asked for account, _ in question.parts)
        untold = dict.fromkeys(account for account in self._accounts.every() if due or account.untold)
        accounts = list(named | untold)
        first = max(len(named), _MOST_ACCOUNTS)
        answered = await self._speak(accounts[:first], asked)
        for at in range(first, len(accounts), _MOST_ACCOUNTS):
            answered = answered and await self._speak(accounts[at : at + _MOST_ACCOUNTS], [])
        if not answered:
            self._next_beat = loop.time() + _AGAIN
        elif due:
            self._next_beat = loop.time() + HEARTBEAT
        return self._next_beat - loop.time()

    async def _speak(self, accounts: list[Account], asked: list[tuple[Question, asyncio.Future[None]]]) -> bool:
        """One exchange with the store; whether it answered. Those who asked go on either way."""
        try:
            if accounts:
                await self._exchange_twice(accounts, [question for question, _ in asked])
        except Exception as error:
            if not isinstance(error, StoreError):  # the door has told of those
                log.exception("budgets: the store's answer cannot be used")
            self._go_alone()
            answered = False
        except BaseException:
            for _, waiting in asked:
                waiting.cancel()
            raise
        else:
            self._away = False
            answered = True
            self._show(accounts)
        for question, waiting in asked:
            if waiting.done():
                self._give_back(question)
            else:
                waiting.set_result(None)
        return answered

    async def _exchange_twice(self, accounts: list[Account], questions: list[Question]) -> None:
        """An exchange, and another one if the first failed at once, as it does when the store has moved."""
        began = monotonic()
        try:
            await self._exchange.run(accounts, questions, self._wall_clock())
        except StoreError:
            if self._away or monotonic() - began > _AT_ONCE:
                raise
            await self._exchange.run(accounts, questions, self._wall_clock())

    def _go_alone(self) -> None:
        self._away = True
        for question, waiting in self._questions:  # nobody else is to wait for it
            if not waiting.done() and not question.abandoned:
                waiting.set_result(None)
        self._questions = []

    def _show(self, accounts: Iterable[Account]) -> None:
        for label, (budget, spent) in self._accounts.shown(accounts).items():
            record_budget(label, budget.window, budget.limit_nanodollars / 1e9, spent / 1e9)


def _limit(charge: Charge, *, downgraded: bool) -> int | None:
    action = charge.budget.action
    counts_only = action == "alert" or (action == "downgrade" and downgraded)
    return None if counts_only else charge.budget.limit_nanodollars
