"""All guards of one replica, made of one configuration, started and closed together."""

from collections.abc import Mapping
from typing import Protocol

from fleetmeter_app.guarding.breaker.breakers import Breakers
from fleetmeter_app.guarding.breaker.config import BreakerConfig
from fleetmeter_app.guarding.budgets.budgets import Budgets
from fleetmeter_app.guarding.budgets.config import BudgetsConfig
from fleetmeter_app.guarding.config import GuardsConfig
from fleetmeter_app.guarding.door import Door
from fleetmeter_app.guarding.keys.keys import Keys
from fleetmeter_app.guarding.rates.rates import Rates


class GuardedConfig(Protocol):
    """The parts of a gateway's configuration that guards go by."""

    @property
    def guards(self) -> GuardsConfig: ...  # noqa: D102
    @property
    def budgets(self) -> BudgetsConfig: ...  # noqa: D102
    @property
    def breaker(self) -> BreakerConfig: ...  # noqa: D102


class Guards:
    """Keys, rates, budgets and breakers. `deployments` are all that there are, and the model behind each.

    `open_without_keys` serves everybody while no key was created.
    """

    def __init__(
        self, door: Door, config: GuardedConfig, deployments: Mapping[str, str], *, open_without_keys: bool
    ) -> None:
        self._door = door
        fail_open = config.guards.fail_open
        self.keys = Keys(
            door, fail_open=fail_open, required=config.guards.require_keys, open_without_keys=open_without_keys
        )
        self.rates = Rates(door, fail_open=fail_open)
        self.budgets = Budgets(door, config.budgets, fail_open=fail_open)
        self.breakers = Breakers(door, config.breaker, deployments)

    def configure(self, config: GuardedConfig, deployments: Mapping[str, str]) -> None:
        """Go by another configuration, from the next request on. What was counted and learned stays."""
        self.keys.configure(fail_open=config.guards.fail_open, required=config.guards.require_keys)
        self.rates.configure(fail_open=config.guards.fail_open)
        self.budgets.configure(config.budgets, fail_open=config.guards.fail_open)
        self.breakers.configure(config.breaker, deployments)

    async def start(self) -> None:
        """Begin to share with the other replicas."""
        for guard in (self.keys, self.budgets, self.breakers):
            await guard.start()

    async def close(self) -> None:
        """Tell the store what is left to tell, and end."""
        for guard in (self.keys, self.rates, self.budgets, self.breakers):
            await guard.close()
        await self._door.close()
