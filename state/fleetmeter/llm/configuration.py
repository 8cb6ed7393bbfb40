"""Telling the catalogue what a service's labels may be."""

from collections.abc import Callable, Iterable

from fleetmeter.keywords import names_its_arguments
from fleetmeter.llm.catalogue import create_children
from fleetmeter.llm.vocabulary import OTHER, VOCABULARY


@names_its_arguments
def configure(
    *,
    models: Iterable[str] | None = None,
    intents: Iterable[str] | None = None,
    tiers: Iterable[str] | None = None,
    tools: Iterable[str] | None = None,
    normalise: Callable[[str], str] | None = None,
) -> None:
    """Close the label sets that are given, and make the series that follow from intents and tools exist at 0.

    Call it once, when the service starts. `models` are the names to count under (`PriceList.models()` and
    the configured ones), `normalise` turns a model's name as the API gives it into one of them
    (`PriceList.normalise`). What is not among the given values is counted under `other`. None leaves a set
    as it is: names are then admitted as they come, up to a fixed number.
    """
    intents = None if intents is None else tuple(intents)
    tools = None if tools is None else tuple(tools)
    VOCABULARY.configure(models=models, intents=intents, tiers=tiers, tools=tools, normalise=normalise)
    create_children(
        intents=() if intents is None else (*intents, OTHER),
        tools=() if tools is None else (*tools, OTHER),
    )
