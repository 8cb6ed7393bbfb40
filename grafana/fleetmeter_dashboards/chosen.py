"""What a reader may choose on a dashboard of models: model, intent, and labels of the user's own."""

from collections.abc import Sequence

from fleetmeter_dashboards.families import declared
from fleetmeter_dashboards.page import Variable
from fleetmeter_dashboards.queries import Queries

_CALLS = "openai_api_calls_total"
"""The series that has every value of all of them."""
_CATALOGUE = (
    Variable("model", _CALLS, "The model that answered."),
    Variable("intent", _CALLS, "What a call is about."),
)


def queries(labels: Sequence[str]) -> Queries:
    """Builds expressions that follow what is chosen; `labels` are those of the user's own."""
    return Queries(*(each.name for each in _CATALOGUE), labels=labels, families=declared(labels))


def variables(labels: Sequence[str]) -> tuple[Variable, ...]:
    """The dashboard's variables."""
    own = (Variable(label, _CALLS, f"Calls are given a {label} by fleetmeter.llm.attributes().") for label in labels)
    return (*_CATALOGUE, *own)
