"""The TOML file of a gateway, checked as a whole: what is refused raises `ConfigError` with file, key and reason."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Self

from fleetmeter_app.caching.config import CacheConfig, read_cache
from fleetmeter_app.config.chains import Intent, Model, Tier, read_intents, read_models, read_tiers, require_tier
from fleetmeter_app.config.deployments import DEFAULT, Deployment, read_deployments
from fleetmeter_app.config.limits import LimitsConfig, UpstreamCalls, read_limits, read_upstream
from fleetmeter_app.errors import ConfigError
from fleetmeter_app.guarding.breaker.config import BreakerConfig, read_breaker
from fleetmeter_app.guarding.budgets.config import BudgetsConfig, read_budgets
from fleetmeter_app.guarding.config import GuardsConfig, read_guards
from fleetmeter_app.tables import Table
from fleetmeter_app.tools.config import ToolsConfig, read_tools

_PACKAGED = "gateway.toml"


@dataclass(frozen=True)
class GatewayConfig:
    """A whole configuration; `intents` are in the order in which their rules are tried.

    `prices` holds the user's own prices as they stand in the file; whoever prices calls checks them. `classifier` names
    the user's callable that chooses intents, as `module:function`, or is None.
    """

    tiers: Mapping[str, Tier]
    models: Mapping[str, Model]
    intents: Mapping[str, Intent]
    baseline_tier: str
    default_intent: str
    cache: CacheConfig
    limits: LimitsConfig
    upstream: UpstreamCalls
    prices: Mapping[str, Mapping[str, object]]
    deployments: Mapping[str, Deployment] = field(default_factory=lambda: MappingProxyType({}))
    classifier: str | None = None
    guards: GuardsConfig = field(default_factory=GuardsConfig)
    budgets: BudgetsConfig = ()
    breaker: BreakerConfig = field(default_factory=BreakerConfig)
    tools: ToolsConfig = field(default_factory=ToolsConfig)

    @property
    def baseline_model(self) -> str:
        """The model whose price savings are measured against."""
        return self.tiers[self.baseline_tier].model

    @property
    def needs_default_deployment(self) -> bool:
        """Whether a model is served where OPENAI_BASE_URL says."""
        places: list[Tier | Model] = [*self.tiers.values(), *self.models.values()]
        return any(DEFAULT in place.deployments for place in places) and DEFAULT not in self.deployments

    @classmethod
    def load(cls, path: Path | None = None, environ: Mapping[str, str] | None = None) -> Self:
        """Read a file, or the packaged one; keys and addresses that it names come from `environ`."""
        if path is None:
            return cls.from_toml(_packaged(), environ=environ)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(str(path), "file", f"cannot be read: {error}") from error
        return cls.from_toml(text, file=str(path), environ=environ)

    @classmethod
    def from_toml(cls, text: str, *, file: str = _PACKAGED, environ: Mapping[str, str] | None = None) -> Self:
        """Read a TOML text; `file` names it in errors. What it may leave out comes from the packaged file."""
        top, packaged = Table.parse(file, text), Table.parse(_PACKAGED, _packaged())
        deployments = read_deployments(top.take_table("deployments"), os.environ if environ is None else environ)
        tiers = read_tiers(top.take_table("tiers"), deployments)
        if not tiers:
            top.refuse("tiers", 'is missing; name at least one, as in [tiers.cheap] with model = "gpt-6-luna"')
        baseline_tier = top.take_text("baseline_tier", packaged.take_text("baseline_tier"))
        require_tier(top, "baseline_tier", baseline_tier, tiers)
        tools = read_tools(top.take_table("tools"))
        intents = read_intents(top.take_table("intents"), tiers, tools.names)
        default_intent = top.take_text("default_intent", packaged.take_text("default_intent"))
        if default_intent not in intents:
            known = ", ".join(intents) or "none"
            top.refuse("default_intent", f"{default_intent!r} is no intent; the intents are: {known}")
        config = cls(
            tiers=tiers,
            models=read_models(top.take_table("models"), tiers, deployments),
            intents=intents,
            baseline_tier=baseline_tier,
            default_intent=default_intent,
            cache=read_cache(top.take_table("cache", packaged.take_mapping("cache"))),
            limits=read_limits(top.take_table("limits", packaged.take_mapping("limits"))),
            upstream=read_upstream(top.take_table("upstream", packaged.take_mapping("upstream"))),
            prices=_prices(top.take_table("prices")),
            deployments=deployments,
            classifier=top.take_text("classifier", "") or None,
            guards=read_guards(top.take_table("guards")),
            budgets=read_budgets(top.take_table("budgets"), tiers),
            breaker=read_breaker(top.take_table("breaker")),
            tools=tools,
        )
        top.close()
        return config


def _packaged() -> str:
    return (resources.files("fleetmeter_app") / _PACKAGED).read_text(encoding="utf-8")


def _prices(tables: Table) -> Mapping[str, Mapping[str, object]]:
    return MappingProxyType({model: tables.take_mapping(model) for model in tables.names()})
