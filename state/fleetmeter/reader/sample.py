"""One line of an exposition."""

from typing import NamedTuple

from prometheus_client.samples import Exemplar

Labels = tuple[tuple[str, str], ...]
"""Label pairs in display order."""


class Sample(NamedTuple):
    """One line of an exposition; `suffix` follows the family's name."""

    suffix: str
    labels: Labels
    value: float
    exemplar: Exemplar | None = None
