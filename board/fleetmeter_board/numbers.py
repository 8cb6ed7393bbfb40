"""Numbers as a person reads them, each with its unit."""

from datetime import datetime

from fleetmeter.cli.printing import NOTHING


def dollars(nanodollars: float | None, beside: float | None = None) -> str:
    """An amount of money with as many digits as it needs: `$12.50`, `$0.0123`, `$0.000450`.

    In a column it has as many as the largest amount `beside` it needs, and two more, so that small ones are no zeros.
    """
    if nanodollars is None:
        return NOTHING
    amount = nanodollars / 1e9
    if amount == 0:
        return "$0"
    size = abs(amount) if beside is None else abs(beside) / 1e9 / 100
    return f"${amount:,.{2 if size >= 1 else 4 if size >= 0.01 else 6}f}"


def per_hour(nanodollars: float | None) -> str:
    """Money per hour: `$0.42/h`."""
    return NOTHING if nanodollars is None else f"{dollars(nanodollars)}/h"


def short(number: float | None) -> str:
    """A number in three or four digits: `0.25`, `19.8`, `1,234`, `12.3 k`, `4.56 M`."""
    if number is None:
        return NOTHING
    for limit, size, unit in ((10_000, 1, ""), (1e6, 1e3, " k"), (1e9, 1e6, " M"), (float("inf"), 1e9, " G")):
        if abs(number) < limit:
            scaled = number / size
            if scaled == int(scaled):
                return f"{int(scaled):,}{unit}"
            digits = 2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0
            return f"{scaled:,.{digits}f}{unit}"
    return f"{number:,.0f}"


def whole(number: float | None) -> str:
    """A count: `1,234`."""
    return NOTHING if number is None else f"{round(number):,}"


def per_second(rate: float | None) -> str:
    """A rate: `19.8/s`."""
    return NOTHING if rate is None else f"{short(rate)}/s"


def share(part: float | None) -> str:
    """A part of a whole: `1.2 %`."""
    return NOTHING if part is None else f"{part * 100:.1f} %"


def duration(seconds: float | None) -> str:
    """A time: `350 µs`, `84 ms`, `1.23 s`, `2.5 min`."""
    if seconds is None:
        return NOTHING
    for limit, size, unit in ((0.001, 1e-6, "µs"), (1.0, 1e-3, "ms"), (120.0, 1.0, "s")):
        if seconds < limit:
            scaled = seconds / size
            return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 and unit == 's' else 0}f} {unit}"
    return f"{seconds / 60:.1f} min"


def since(seconds: float, now: float) -> str:
    """A time of day, with the date unless it is today's: `09:12`, `28 Nov 09:12`."""
    at, today = (datetime.fromtimestamp(one).astimezone() for one in (seconds, now))
    return at.strftime("%H:%M") if at.date() == today.date() else f"{at.day} {at:%b %H:%M}"
