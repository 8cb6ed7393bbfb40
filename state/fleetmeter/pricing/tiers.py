"""Service tiers: the names in answers, and the prices that each name means."""

from fleetmeter.pricing.doubt import Unpriced

STANDARD = "default"
"""The tier of the standard prices."""
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
    "auto": "says what was asked for, not what was served",
    "scale": "is paid by contract, not by the token",
}


def tier_of(stated: str | None) -> str | Unpriced:
    """The tier at which an answer is priced: the stated one, or the standard one if none is stated.

    A tier that is unknown, or that has no prices, is `Unpriced`. It is never charged as standard, which could be half
    or twice the true price.
    """
    if not stated:
        return STANDARD
    meaning = _MEANINGS.get(stated)
    if meaning is not None:
        return meaning
    name = str(stated)[:64]
    return Unpriced("tier", name, f"the answer's tier {name!r} {_WHY.get(name, 'is not known')}")
