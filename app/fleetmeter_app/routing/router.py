"""Which model answers a request, and which ones are next when it does not.

Nothing here does I/O or keeps count: the caller makes the call and records what was chosen.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fleetmeter_app.config.chains import AUTO, Model, Tier
from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.errors import ModelNotFoundError

NO_TIER = "none"
"""The tier of a model that no tier has."""


@dataclass(frozen=True)
class Step:
    """One place in a chain: a model, for a tier, at these deployments.

    After `hedge_after_seconds` without an answer a second deployment is asked, too; None: never.
    """

    tier: str
    model: str
    deployments: tuple[str, ...]
    hedge_after_seconds: float | None = None


@dataclass(frozen=True)
class Selection:
    """What was chosen for a request: its intent, and the steps to try in this order."""

    intent: str
    steps: tuple[Step, ...]

    @property
    def first(self) -> Step:
        """The first choice."""
        return self.steps[0]


class ModelRouter:
    """The chains of a configuration, by intent, by tier and by model."""

    def __init__(self, config: GatewayConfig) -> None:
        self._tiers = {name: _chain(config.tiers, config.models, name) for name in config.tiers}
        self._models = {name: _chain(config.tiers, config.models, name) for name in config.models}
        self._intents = {intent.name: self._tiers[intent.tier] for intent in config.intents.values()}
        self._named = self._models | self._tiers

    def select(self, model: str, intent: str) -> Selection:
        """The chain for a request: `auto` leaves it to the intent, a tier's or a model's name says it.

        Raises `ModelNotFoundError` for any other name, and KeyError for an intent that is not configured.
        """
        steps = self._intents[intent] if model == AUTO else self._named.get(model)
        if steps is None:
            raise ModelNotFoundError(model)
        return Selection(intent, steps)

    def downgraded(self, selection: Selection, tier: str) -> Selection:
        """The same request at another tier; the selection as it is if there is no such tier."""
        steps = self._tiers.get(tier)
        return selection if steps is None else Selection(selection.intent, steps)

    def steps(self) -> Iterator[Step]:
        """Every step of every chain."""
        for chain in self._named.values():
            yield from chain

    @property
    def names(self) -> tuple[str, ...]:
        """What may be asked for as a model."""
        return (AUTO, *self._tiers, *(name for name in self._models if name not in self._tiers))


def _chain(tiers: Mapping[str, Tier], models: Mapping[str, Model], name: str) -> tuple[Step, ...]:
    """The steps of a tier or a model and, depth first, of what it falls back to; no model is tried twice.

    A model that was asked for by name belongs to the first tier that has it.
    """
    steps: dict[str, Step] = {}
    visited: set[str] = set()

    def visit(name: str) -> None:
        if name in visited:
            return
        visited.add(name)
        place: Tier | Model = tiers[name] if name in tiers else models[name]
        model = place.model if isinstance(place, Tier) else place.name
        tier = name if name in tiers else _tier_of(tiers, name)
        steps.setdefault(model, Step(tier, model, place.deployments, place.hedge_after_seconds))
        for other in place.fallback:
            visit(other)

    visit(name)
    return tuple(steps.values())


def _tier_of(tiers: Mapping[str, Tier], model: str) -> str:
    return next((tier.name for tier in tiers.values() if tier.model == model), NO_TIER)
