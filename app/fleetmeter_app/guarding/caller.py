"""Who asks: what an API key says about its holder."""

from collections.abc import Iterable
from dataclasses import dataclass

from fleetmeter_app.guarding.rates.rate import Rate


@dataclass(frozen=True)
class Caller:
    """The holder of a key; `ANONYMOUS` when no key is needed.

    `models` are the models that may be asked, None for all; a name that ends in `*` stands for all that begin so.
    Callers of one `tenant` share cached answers. `budgets` are those that were assigned to the key by name.
    """

    key_id: str = ""
    team: str = ""
    models: frozenset[str] | None = None
    tenant: str = ""
    budgets: tuple[str, ...] = ()
    rates: tuple[Rate, ...] = ()

    def may_ask(self, model: str) -> bool:
        """Whether this caller may use a model."""
        return self.models is None or model in self.models or _begins_so(model, self.models)


ANONYMOUS = Caller(key_id="")
"""Everybody, as long as no key is needed."""


def _begins_so(model: str, patterns: Iterable[str]) -> bool:
    return any(pattern.endswith("*") and model.startswith(pattern[:-1]) for pattern in patterns)
