"""Families that the catalogue declares and the gateway does not record yet: the one list of them.

A service of your own may record them with the helpers of `fleetmeter.llm`, and the panels then show them. The
reference, the dashboards and the pictures say of each that the gateway does not. A family leaves this list with the
change that begins to record it.
"""

from collections.abc import Iterable

from fleetmeter_dashboards.families import DeclaredFamily

UNRECORDED = frozenset(
    (
        "openai_time_to_first_token_seconds",
        "openai_stream_aborts_total",
    )
)
"""Names as an exposition shows them: counters with `_total`, histograms without their suffixes."""

INSTEAD_OF_DATA = "not recorded yet"
"""What a panel that needs one of them says if nobody records it."""

REMARK = "The gateway does not record this yet. A service of your own may, with the helpers of `fleetmeter.llm`."
"""What the description of such a panel adds."""


def needed(families: Iterable[DeclaredFamily]) -> bool:
    """Whether one of these families is among those that the gateway does not record."""
    return any(family.shown in UNRECORDED for family in families)
