"""Numbers as Grafana writes them: its units, scales and automatic decimals."""

import math
from datetime import UTC, datetime

_SECONDS = ((31_536_000, "year"), (604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "min"), (1, "s"))
_SMALL = ((1e-3, "ms", 1e3), (1e-6, "µs", 1e6), (0, "ns", 1e9))
_SHORT = ((1e9, " Bil"), (1e6, " Mil"), (1e3, " K"))
_BINARY = ((1024**3, " GiB"), (1024**2, " MiB"), (1024, " KiB"))
_COUNTS = tuple((size, name.strip().rstrip("il")) for size, name in _SHORT)
"""A count of our own is scaled without a space: 12.3K tokens/s."""
_RATES = {"reqps": " req/s"}


def write(value: float, unit: str, decimals: int | None = None) -> str:
    """A value with its unit."""
    if math.isnan(value):
        return "NaN"
    if unit == "percentunit":
        return f"{_number(value * 100, decimals)}%"
    if unit == "currencyUSD":
        return ("-" if value < 0 else "") + "$" + _scaled(abs(value), _SHORT, decimals)
    if unit == "bytes":
        return _scaled(value, _BINARY, decimals) + (" B" if abs(value) < 1024 else "")
    if unit == "s":
        return _duration(value, decimals)
    if unit == "dateTimeAsIso":
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    if unit == "locale":
        return f"{value:,.{_decimals(value) if decimals is None else decimals}f}"
    kind, _, own = unit.partition(":")
    if kind == "suffix":
        return f"{_number(value, decimals)} {own}"
    if kind == "count":
        return f"{_scaled(value, _COUNTS, decimals)} {own}"
    if unit in _RATES:
        return _scaled(value, _SHORT, decimals) + _RATES[unit]
    return _scaled(value, _SHORT, decimals)


def _scaled(value: float, scales: tuple[tuple[float, str], ...], decimals: int | None) -> str:
    for size, name in scales:
        if abs(value) >= size:
            return _number(value / size, decimals) + name
    return _number(value, decimals)


def _duration(value: float, decimals: int | None) -> str:
    size = abs(value)
    if size == 0:
        return "0 s"
    for least, name in _SECONDS:
        if size >= least:
            amount = _number(value / least, decimals)
            plural = "s" if len(name) > 3 and amount != "1" else ""
            return f"{amount} {name}{plural}"
    name, factor = next((name, factor) for least, name, factor in _SMALL if size >= least)
    return f"{_number(value * factor, decimals)} {name}"


def _number(value: float, decimals: int | None) -> str:
    if decimals is None:
        decimals = _decimals(value)
    return f"{value:.{decimals}f}"


def _decimals(value: float) -> int:
    """How many decimals Grafana writes where none are asked for: about three digits that mean something."""
    if value == 0 or float(value).is_integer():
        return 0
    decimals = 1 - math.floor(math.log10(abs(value)))
    if abs(value) / 10.0**-decimals > 2.25:
        decimals += 1
    return max(0, min(decimals, 9)) if abs(value) < 100 else max(0, decimals)
