"""The user's own callable that chooses intents, as the configuration names it."""

import logging
from collections.abc import Callable
from importlib import import_module

from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.errors import ConfigError

log = logging.getLogger("fleetmeter.app")


def find_classifier(config: GatewayConfig, file: str) -> Callable[[str], str]:
    """The callable `module:function`: it is given the question's text, and returns the name of an intent.

    What it raises, and names that are no intent, become the default intent, and are logged once. Raises `ConfigError`
    if it cannot be found.
    """
    name = config.classifier or ""
    module, colon, function = name.partition(":")
    if not colon:
        raise ConfigError(file, "classifier", f"{name!r} is no callable; expected one as in 'my_rules:intent_of'")
    try:
        found = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError(file, "classifier", f"{name!r} cannot be imported: {error}") from error
    if not callable(found):
        raise ConfigError(file, "classifier", f"{name!r} cannot be called")
    told = False

    def classify(text: str) -> str:
        nonlocal told
        try:
            intent = found(text)
            if isinstance(intent, str) and intent in config.intents:
                return intent
            problem = "did not return the name of an intent"
        except Exception as error:  # noqa: BLE001 - the user's function must not cost a request
            problem = f"raised {type(error).__name__}"
        if not told:
            told = True
            log.warning("the classifier %s %s; such requests take the intent %s", name, problem, config.default_intent)
        return config.default_intent

    return classify
