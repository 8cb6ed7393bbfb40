"""Telling the catalogue what a service's labels may be."""

from collections.abc import Callable, Iterable

from fleetmeter.attribution.families import configure_labels, labels_from_environment
from fleetmeter.attribution.settings import Wanted
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
    labels: Wanted | None = None,
) -> None:
    """Close the label sets that are given, and make the series that follow from intents and tools exist at 0.

    Call it once, when the service starts. `models` are the names to count under (`PriceList.models()` and
    the configured ones), `normalise` turns a model's name as the API gives it into one of them
    (`PriceList.normalise`). What is not among the given values is counted under `other`. None leaves a set
    as it is: names are then admitted as they come, up to a fixed number.

    `labels` are labels of your own, as `{"team": 50, "tenant": ["acme", "globex"]}`: how many values each may have, or
    which. They stand on the `openai_*`, `model_*` and `tool_*` counters and histograms, on `cost_savings_usd` and
    `routing_extra_cost_usd`; `attributes(team="search")` gives a value, `unspecified` is that of records without one.
    Values above the number are counted as `other`, and told by `label_overflows_total`. Values are learned by each
    process for itself. None takes `FLEETMETER_LABELS` (`team:50,tenant:500`), or leaves the labels as they are.

    Raises `SettingError` for labels that cannot be used.
    """
    if labels is None:
        labels_from_environment()
    else:
        configure_labels(labels)
    intents = None if intents is None else tuple(intents)
    tools = None if tools is None else tuple(tools)
    VOCABULARY.configure(models=models, intents=intents, tiers=tiers, tools=tools, normalise=normalise)
    create_children(
        intents=() if intents is None else (*intents, OTHER),
        tools=() if tools is None else (*tools, OTHER),
    )
