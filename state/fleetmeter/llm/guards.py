"""Record helpers for what guards the models: budgets, circuit breakers, hedges and API keys. They never raise."""

from collections.abc import Iterable

from fleetmeter.llm import catalogue
from fleetmeter.llm.vocabulary import (
    BUDGET_ACTIONS,
    BUDGET_WINDOWS,
    CIRCUIT_STATES,
    HEDGE_ANSWERS,
    KEY_REJECTIONS,
    VOCABULARY,
    member,
)
from fleetmeter.process.transaction import atomic


def record_budget(budget: str, window: str, limit_usd: float, spent_usd: float) -> None:
    """What a budget allows and what was spent of it in its present window; `window` is one of `BUDGET_WINDOWS`."""
    labels = (VOCABULARY.budgets.admit(budget), member(window, BUDGET_WINDOWS, "window of budgets"))
    with atomic():
        catalogue.BUDGET_LIMIT_USD.labels(*labels).set(limit_usd)
        catalogue.BUDGET_SPENT_USD.labels(*labels).set(spent_usd)


def record_budget_rejection(budget: str, action: str) -> None:
    """A call met a used-up budget; `action`, one of `BUDGET_ACTIONS`, is what followed."""
    catalogue.BUDGET_REJECTIONS.labels(
        VOCABULARY.budgets.admit(budget), member(action, BUDGET_ACTIONS, "action of budgets")
    ).inc()


def record_circuit_state(model: str, state: str) -> None:
    """The state of a model's circuit breaker is this one of `CIRCUIT_STATES`."""
    if state in CIRCUIT_STATES:
        catalogue.MODEL_CIRCUIT_STATE.labels(VOCABULARY.model(model)).set(CIRCUIT_STATES.index(state))


def record_circuit_change(model: str, state: str) -> None:
    """The circuit breaker of one of the model's deployments went into this one of `CIRCUIT_STATES`."""
    catalogue.MODEL_CIRCUIT_CHANGES.labels(
        VOCABULARY.model(model), member(state, CIRCUIT_STATES, "state of circuits")
    ).inc()


def record_hedge(model: str, answered: str) -> None:
    """A second deployment of a model was asked, as the first was slow; `answered` is one of `HEDGE_ANSWERS`."""
    catalogue.MODEL_HEDGES.labels(VOCABULARY.model(model), member(answered, HEDGE_ANSWERS, "answer of hedges")).inc()


def record_key_rejection(reason: str) -> None:
    """A request was refused for its API key; `reason` is one of `KEY_REJECTIONS`."""
    catalogue.GATEWAY_KEY_REJECTIONS.labels(member(reason, KEY_REJECTIONS, "reason of key rejections")).inc()


def create_guard_children(
    models: Iterable[str] = (), budgets: Iterable[tuple[str, str]] = (), hedged: Iterable[str] = ()
) -> None:
    """Make the series that can be foreseen exist at 0; `budgets` are pairs of a budget and its action."""
    for model in hedged:
        for answered in HEDGE_ANSWERS:
            catalogue.MODEL_HEDGES.labels(VOCABULARY.model(model), answered)
    for model in models:
        for state in CIRCUIT_STATES:
            catalogue.MODEL_CIRCUIT_CHANGES.labels(VOCABULARY.model(model), state)
    for budget, action in budgets:
        catalogue.BUDGET_REJECTIONS.labels(VOCABULARY.budgets.admit(budget), member(action, BUDGET_ACTIONS, "action"))
