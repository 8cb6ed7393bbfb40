"""Which budgets a call is under."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fleetmeter_app.guarding.budgets.account import Account
from fleetmeter_app.guarding.budgets.config import Budget, BudgetsConfig, Trait
from fleetmeter_app.guarding.caller import Caller

NO_TEAM = "none"
"""Stands for the team of a key, or a caller, that has none."""


@dataclass(frozen=True)
class Scopes:
    """Whose call it is, what it is about, and the model that it goes to."""

    caller: Caller
    team: str
    intent: str
    model: str

    def value(self, trait: Trait) -> str:
        """What stands for a trait."""
        return {"key": self.caller.key_id, "team": self.team or NO_TEAM, "intent": self.intent, "model": self.model}[
            trait
        ]


@dataclass(frozen=True)
class Charge:
    """One account that a call is charged to, and the budget that it belongs to."""

    budget: Budget
    account: Account


class Accounts:
    """The accounts of all budgets; those of `each` come with their first call."""

    def __init__(self, config: BudgetsConfig, key_of: Callable[[str, str], str]) -> None:
        self._key_of = key_of
        self._accounts: dict[tuple[str, str, str], Account] = {}
        self._places: dict[Account, tuple[str, str]] = {}
        self.budgets: BudgetsConfig = ()
        self.configure(config)

    def configure(self, config: BudgetsConfig) -> None:
        """Take other budgets. What is known of an account stays if its budget, or one of its name and window, does."""
        self.budgets = tuple(sorted(config, key=lambda budget: budget.action != "reject"))
        for budget in self.budgets:
            if budget.each is None:
                self._account(budget, "")

    def of(self, scopes: Scopes) -> list[Charge]:
        """What a call is charged to, budgets that reject first. `LookupError` for an assigned one that is not."""
        assigned = scopes.caller.budgets
        for name in assigned:
            if not any(budget.name == name for budget in self.budgets):
                raise LookupError(name)
        return [
            Charge(budget, self._account(budget, scopes.value(budget.each) if budget.each else ""))
            for budget in self.budgets
            if (not budget.assigned or budget.name in assigned)
            and all(scopes.value(trait) == wanted for trait, wanted in budget.only.items())
        ]

    def every(self) -> list[Account]:
        """All that there are."""
        return list(self._accounts.values())

    def shown(self, accounts: Iterable[Account]) -> dict[str, tuple[Budget, int]]:
        """What gauges show of these accounts: by label, the budget and the nano-dollars that are spent.

        A key is no label: of a budget with an account for each key, the one that has spent most is shown, of all.
        """
        found: dict[str, tuple[Budget, int]] = {}
        names = {budget.name: budget for budget in self.budgets}
        for account in accounts:
            name, value = self._places[account]
            budget = names.get(name)
            if budget is None or budget.window != account.window or account.start is None:
                continue
            label = f"{name}/{value}" if value and budget.each != "key" else name
            found[label] = budget, max(account.spent, found.get(label, (budget, 0))[1])
        return found

    def _account(self, budget: Budget, value: str) -> Account:
        place = (budget.window, budget.name, value)
        account = self._accounts.get(place)
        if account is None:
            name = f"{budget.name}:{value}" if budget.each else budget.name
            account = self._accounts[place] = Account(self._key_of(budget.window, name), budget.window)
            self._places[account] = budget.name, value
        return account
