"""A replica that spends under a budget: `python -m support.spender URL NAMESPACE LEDGER TASKS SEED`.

Every call is written into the ledger, as an upstream would bill it, between reservation and settlement: `<cost>` in
nano-dollars, after `+<bound>` when it began and before `-<bound>` when the store was told of it: until then it is in
flight, as a replica that is killed tells nobody. The process says `ready`, begins
with the next line of its standard input, and ends when the budget is spent, so that no call of it finds room any more.
"""

import asyncio
import os
import random
import sys
from functools import partial

from fleetmeter.schema.keys import Keys
from fleetmeter_app.guarding.budgets.account import Account
from fleetmeter_app.guarding.budgets.budgets import Budgets
from fleetmeter_app.guarding.budgets.refusals import OverBudget
from fleetmeter_app.guarding.door import Door
from support.guards import PATIENT, budgets_of, scopes, until

LIMIT_USD = 1
TOML = f'[all]\nlimit_usd = {LIMIT_USD}\nwindow = "month"\n'
_MOST = 4_000_000
"""Nano-dollars that a call may cost at most: 0.004 USD. A caller whose call finds no room tries a smaller one."""

_LEAST = 10_000


def was_told(account: Account, start: int, spent: int) -> bool:
    """Whether the store knows that so much was spent in a period."""
    return start not in account.rows or account.rows[start].told_spent >= spent


async def spend(url: str, namespace: str, ledger: int, tasks: int, seed: int) -> None:
    """Call until the budget refuses for good."""
    dice = random.Random(seed)
    door = Door(url, Keys(namespace), timeout=PATIENT)
    budgets = Budgets(door, budgets_of(TOML))
    await budgets.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)

    def note(line: str) -> None:
        os.write(ledger, f"{line}\n".encode())

    async def caller() -> None:
        most = _MOST
        while most > _LEAST:
            bound = dice.randint(1, most)
            try:
                reservation = await budgets.reserve(scopes(), bound)
            except OverBudget as error:
                if not error.should_retry:
                    most //= 4
                await asyncio.sleep(dice.random() * 0.5)
                continue
            note(f"+{bound}")
            await asyncio.sleep(dice.random() * 0.4)
            cost = dice.randint(0, bound)
            note(str(cost))
            await budgets.settle(reservation, cost)
            ((account, start),) = reservation.parts
            await until(partial(was_told, account, start, account.rows[start].spent))
            note(f"-{bound}")

    await asyncio.gather(*(caller() for _ in range(tasks)))
    await budgets.close()
    await door.close()


if __name__ == "__main__":
    _, where, name, path, count, number = sys.argv
    asyncio.run(spend(where, name, os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), int(count), int(number)))
