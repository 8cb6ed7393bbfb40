"""A configuration made ready: its router, its places, its prices. A reload puts another one in its place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fleetmeter.errors import SettingError
from fleetmeter.pricing import ModelPrice, PriceList
from fleetmeter.secret_file import twin
from fleetmeter_app.accounting.calls import Accounts, Origin
from fleetmeter_app.config.deployments import DEFAULT, OPENAI_URL, Deployment
from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.config.settings import KEY
from fleetmeter_app.errors import ConfigError
from fleetmeter_app.routing.classifiers import find_classifier
from fleetmeter_app.routing.intents import IntentClassifier
from fleetmeter_app.routing.router import ModelRouter, Step
from fleetmeter_app.tools.registry import Registry, find_tools
from fleetmeter_app.transport.places import Place

Classify = Callable[[str], str]
UNPRICED = "unknown"
"""The provider of a deployment that nobody knows: no list price holds there."""


@dataclass(frozen=True)
class Loaded:
    """What requests are answered by; one that has begun keeps its own to its end."""

    config: GatewayConfig
    router: ModelRouter
    classify: Classify
    prices: PriceList
    accounts: Accounts
    places: Mapping[tuple[str, tuple[str, ...]], tuple[Place, ...]]
    origins: Mapping[str, Origin]
    tools: Registry

    @classmethod
    def make(cls, config: GatewayConfig, default: Deployment | None, file: str = "gateway.toml") -> "Loaded":
        """Make a configuration ready; `default` is the deployment of the environment.

        Raises `ConfigError` for prices, a classifier and tools that cannot be used, and if the environment's
        deployment is needed and missing.
        """
        if default is None and config.needs_default_deployment:
            raise ConfigError(
                "environment", KEY, f"is not set, nor {twin(KEY)}; the upstream needs a key, any text for a test one"
            )
        prices = _prices(config, file)
        deployments = dict(config.deployments)
        if default is not None:
            deployments.setdefault(DEFAULT, default)
        router = ModelRouter(config)
        places: dict[tuple[str, tuple[str, ...]], tuple[Place, ...]] = {}
        by_name: dict[tuple[str, str], Place] = {}
        for step in router.steps():
            for name in step.deployments:
                by_name.setdefault((name, step.model), Place(deployments[name], step.model))
            places[step.model, step.deployments] = tuple(by_name[name, step.model] for name in step.deployments)
        classify = find_classifier(config, file) if config.classifier else IntentClassifier(config).classify
        origins = {name: _origin(prices, deployment) for name, deployment in deployments.items()}
        return cls(config, router, classify, prices, Accounts(prices), places, origins, find_tools(config.tools, file))

    @property
    def deployments(self) -> dict[str, str]:
        """What circuit breakers are kept for, and the model behind each."""
        return {place.name: model for (model, _), places in self.places.items() for place in places}

    def places_of(self, step: Step) -> tuple[Place, ...]:
        """Where a step's model is served."""
        return self.places[step.model, step.deployments]

    def origin_of(self, place: Place) -> Origin:
        """Whose prices hold at a place."""
        return self.origins[place.deployment.name]


def _origin(prices: PriceList, deployment: Deployment) -> Origin:
    """By name, by base URL, or OpenAI for the environment's: a proxy in front of it has an address of its own."""
    if deployment.provider is not None:
        return Origin(provider=deployment.provider)
    if prices.provider(deployment.base_url) is not None:
        return Origin(base_url=deployment.base_url)
    return Origin() if deployment.name == DEFAULT else Origin(provider=UNPRICED)


def default_deployment(base_url: str | None, api_key: str | None) -> Deployment | None:
    """The deployment that OPENAI_BASE_URL and OPENAI_API_KEY tell of; None without a key."""
    return None if not api_key else Deployment(DEFAULT, (base_url or OPENAI_URL).rstrip("/"), api_key)


def _prices(config: GatewayConfig, file: str) -> PriceList:
    own = {}
    for model, table in config.prices.items():
        try:
            own[model] = ModelPrice.from_mapping(model, table)
        except SettingError as error:
            raise ConfigError(file, error.setting, error.problem) from error
    return PriceList(own, baseline=config.baseline_model)
