"""When a replica speaks with the store of its budgets: for who asks, for what was spent, and as a sign of life."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from time import monotonic

from fleetmeter.errors import StoreError
from fleetmeter.llm.guards import record_budget
from fleetmeter_app.guarding.background import Background
from fleetmeter_app.guarding.budgets.account import Account
from fleetmeter_app.guarding.budgets.exchange import Exchange, Question
from fleetmeter_app.guarding.budgets.scopes import Accounts
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


class Conversation:
    """One exchange at a time. What is asked and spent while one is under way goes along with the next.

    `wall_clock` is this process's time, from which the store's is worked out.
    """

    def __init__(
        self, door: Door, accounts: Accounts, clock: Callable[[], float], wall_clock: Callable[[], float]
    ) -> None:
        self._accounts = accounts
        self._wall_clock = wall_clock
        self._exchange = Exchange(door, accounts.every, clock)
        self._questions: list[tuple[Question, asyncio.Future[None]]] = []
        self._background = Background(self._beat)
        self._next_beat = 0.0
        self._away = False
        self._nudge: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """The store's time, as a Unix time."""
        return self._wall_clock() + self._exchange.ahead

    def start(self) -> None:
        """Begin to speak."""
        self._background.start()

    async def close(self) -> None:
        """Tell what is left to tell, if the store answers, and end."""
        if not await self._background.stop():
            return
        for _, waiting in self._questions:
            waiting.cancel()
        untold = [account for account in self._accounts.every() if account.untold]
        for at in range(0, len(untold), _MOST_ACCOUNTS):
            if not await self._speak(untold[at : at + _MOST_ACCOUNTS], []):
                break

    async def ask(self, question: Question) -> bool:
        """Have a question answered; False if there is no store to do it."""
        if self._away:
            return False
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._questions.append((question, waiting))
        self._background.wake()
        try:
            await waiting
        except asyncio.CancelledError:
            question.abandoned = True
            question.give_back()
            raise
        return question.answered

    def tell_soon(self) -> None:
        """Something was settled: the store is to know it, together with what is settled next."""
        if self._nudge is None and not self._away:
            self._nudge = asyncio.get_running_loop().call_later(_SETTLED_WITHIN, self._remind)

    def _remind(self) -> None:
        self._nudge = None
        self._background.wake()

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
                question.give_back()
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
