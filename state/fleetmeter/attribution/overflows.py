"""The counter of values that labels of the user's own did not admit; declared when first asked for."""

from functools import cache

from prometheus_client import Counter


@cache
def overflows() -> Counter:
    """The family; its one label is the name of the label whose value became `other`."""
    return Counter(
        "label_overflows_total",
        "Values of a label of the user's own that were counted as other, once for each attributes() block or request.",
        ["label"],
        registry=None,
    )
