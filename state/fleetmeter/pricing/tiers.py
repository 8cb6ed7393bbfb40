"""Service tiers as answers name them, and the prices that each of them means."""

from fleetmeter.pricing.doubt import Unpriced

STANDARD = "default"
"""The tier of the list prices."""
TIERS = (STANDARD, "flex", "priority", "batch")
"""The tiers that have prices; `fast` is the newer name of `priority`."""

_MEANINGS = {
    "default": STANDARD,
    "standard": STANDARD,
    "on_demand": STANDARD,  # Groq
    "flex": "flex",
    "priority": "priority",
    "fast": "priority",
    "batch": "batch",
}
_WHY = {
    "auto": "says what was asked for and not what was served",
    "scale": "is paid for by contract and not by the token",
}


def tier_of(stated: str | None) -> str | Unpriced:
    """The tier to price an answer by: what it states, the standard one if it states none.

    A tier that has no price of its own, or is not known, is `Unpriced`: it is never charged as standard.
    """
    if not stated:
        return STANDARD
    meaning = _MEANINGS.get(stated)
    if meaning is not None:
        return meaning
    name = str(stated)[:64]
    return Unpriced("tier", name, f"the answer's tier {name!r} {_WHY.get(name, 'is not known')}")
