"""The call by which a replica tells what it has spent and holds, and asks for more."""

import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from fleetmeter_app.guarding.budgets.account import Account, Statement
from fleetmeter_app.guarding.door import Door
from fleetmeter_app.store.script import Script

_EXCHANGE = Script("budget_exchange")

LEASE = 20.0
"""Seconds for which the money that a replica holds stands without a sign of life: four heartbeats."""

SILENCE = 1200.0
"""Seconds without a sign after which a replica's rows go; the totals keep what they hold."""

RENEWED_AFTER = 600.0
"""Seconds without an answer after which a replica takes another name, as its rows may be gone soon."""

_MOST = 2**52
"""Nano-dollars in one row after which a replica takes another name: Lua's numbers are exact up to 2^53."""

_STATEMENT = 5


@dataclass(eq=False)
class Question:
    """What one call may cost, and the accounts that it would be charged to, each with its limit; None only counts.

    `refused` is the place of the account without room, -1 if it was granted; then it is held in the periods that
    began at `starts`. Nobody waits any more for one that is `abandoned`.
    """

    nanodollars: int
    parts: Sequence[tuple[Account, int | None]]
    refused: int = -1
    starts: tuple[int, ...] = ()
    abandoned: bool = False

    @property
    def answered(self) -> bool:
        """Whether it was granted or refused."""
        return bool(self.starts) or self.refused >= 0

    def hold(self, starts: Sequence[int]) -> None:
        """Hold the money in these periods, one for each account."""
        self.starts = tuple(starts)
        for (account, _), start in zip(self.parts, self.starts, strict=True):
            account.hold(start, self.nanodollars)

    def give_back(self) -> None:
        """Hold nothing any more."""
        for (account, _), start in zip(self.parts, self.starts, strict=False):
            account.settle(start, self.nanodollars, 0, assumed=False)
        self.starts = ()


class Exchange:
    """Speaks with the store for one replica, one call at a time; `every` gives all its accounts."""

    def __init__(
        self, door: Door, every: Callable[[], Iterable[Account]], clock: Callable[[], float] = monotonic
    ) -> None:
        self._door = door
        self._every = every
        self._clock = clock
        self._name = secrets.token_hex(8)
        self._call = 0
        self._answered = clock()
        self.ahead = 0.0
        """Seconds by which the store's clock is ahead of this process's."""

    async def run(self, accounts: Sequence[Account], questions: Sequence[Question], now: float) -> None:
        """Tell the accounts' figures, and have the questions answered; `accounts` holds all that they name.

        Raises `StoreError`: nothing is then granted, and the next call sets right what this one may have done.
        """
        if self._clock() - self._answered > RENEWED_AFTER or any(
            row.spent > _MOST for account in accounts for row in account.rows.values()
        ):
            self._renew()
        reply: Any = [b"stale"]
        while reply[0] == b"stale":  # another process has this name: a restored copy of this one
            self._call += 1
            sent = [account.to_send() for account in accounts]
            reply = await self._door.call(
                _EXCHANGE,
                [account.key for account in accounts],
                [
                    self._name,
                    str(self._call),
                    str(round(LEASE * 1e6)),
                    str(round(SILENCE * 1e6)),
                    json.dumps([_account(account, rows) for account, rows in zip(accounts, sent, strict=True)]),
                    json.dumps(_questions(accounts, questions)),
                ],
            )
            if reply[0] == b"stale":
                self._renew()
        self._answered = self._clock()
        _, time_us, told, answers = reply
        self.ahead = int(time_us) / 1e6 - now
        granted = dict.fromkeys(map(id, accounts), 0)
        statements = [Statement(*map(int, told[at : at + _STATEMENT])) for at in range(0, len(told), _STATEMENT)]
        starts = {id(account): statement.start for account, statement in zip(accounts, statements, strict=True)}
        for question, answer in zip(questions, answers, strict=True):
            place = int(answer)
            if place:
                refusing = accounts[place - 1]
                question.refused = next(i for i, (account, _) in enumerate(question.parts) if account is refusing)
                continue
            question.starts = tuple(starts[id(account)] for account, _ in question.parts)
            for account, _ in question.parts:
                granted[id(account)] += question.nanodollars
        for account, statement, rows in zip(accounts, statements, sent, strict=True):
            account.told(statement, rows, granted[id(account)])

    def _renew(self) -> None:
        self._name = secrets.token_hex(8)
        for account in self._every():
            account.renew()


def _account(account: Account, rows: dict[int, tuple[int, int, int]]) -> list[Any]:
    return [account.window, [[str(start), *map(str, amounts)] for start, amounts in rows.items()]]


def _questions(accounts: Sequence[Account], questions: Sequence[Question]) -> list[Any]:
    places = {id(account): place for place, account in enumerate(accounts, 1)}
    return [
        [
            str(question.nanodollars),
            [[places[id(account)], "" if limit is None else str(limit)] for account, limit in question.parts],
        ]
        for question in questions
    ]
