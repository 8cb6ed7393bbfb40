"""The check for calls of language models that have no price."""

from collections import Counter
from collections.abc import Iterable, Iterator

from fleetmeter.cli.doctor.check import Check, Status
from fleetmeter.cli.printing import counted
from fleetmeter.reader.families import Family

_UNPRICED = "openai_unpriced_calls"
"""The counter, by model, of answered calls that have no price."""
_MOST_MODELS = 10
"""Models that are named."""


def price_checks(families: Iterable[Family]) -> Iterator[Check]:
    """One finding about models without a price; none if the namespace never counted calls of models."""
    samples = [sample for family in families if family.definition.name == _UNPRICED for sample in family.samples]
    if not samples:
        return
    calls: Counter[str] = Counter()
    for sample in samples:  # a model has several, where calls have labels of the user's own
        calls[dict(sample.labels).get("model", "")] += round(sample.value)
    without = sorted(((count, model) for model, count in calls.items() if count), reverse=True)
    if not without:
        yield Check(Status.OK, "prices", "every answered call has a price", "the cost of the fleet is complete")
        return
    named = ", ".join(f"{model} ({counted(count, 'call')})" for count, model in without[:_MOST_MODELS])
    more = f" and {len(without) - _MOST_MODELS} more" if len(without) > _MOST_MODELS else ""
    yield Check(
        Status.WARN, "prices", f"calls without a price: {named}{more}",
        "their cost is missing in every cost family; the service's log says why: a prices file can give rates, and "
        "streams tell their usage if they are asked to",
    )  # fmt: skip
