"""Which amounts are recorded: finite numbers from 0 on. Any other is left out, and logged once for each metric."""

import logging

from fleetmeter.excerpt import quoted

_log = logging.getLogger(__name__)
_complained: set[str] = set()
_MOST = 1e18
"""Above this nothing here is an amount that anybody has measured, in whatever unit."""


def usable(metric: str, amount: float, most: float = _MOST) -> bool:
    """Whether an amount is a number of 0 or more, and not above `most`; complains once for each metric."""
    try:
        if 0 <= amount <= most:
            return True
    except (TypeError, ArithmeticError):  # no number, or a Decimal NaN, which cannot be compared
        pass
    if metric not in _complained:
        _complained.add(metric)
        _log.warning(
            "%s: %s was left out; expected a finite number from 0 to %g. Further ones are left out silently",
            metric,
            quoted(amount),
            most,
        )
    return False


def number(amount: float) -> float:
    """A usable amount as a number that can be added to any other: a Decimal cannot be added to a float."""
    return amount if type(amount) is float or type(amount) is int else float(amount)
