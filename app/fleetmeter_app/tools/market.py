"""Two tools on OHLCV files: the latest quote, and technical indicators by talipp."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from talipp.indicators import EMA, MACD, RSI, SMA

from fleetmeter_app.errors import ToolError
from fleetmeter_app.tools.ohlcv import PriceFolder, Series
from fleetmeter_app.tools.tool import Tool

_FAST, _SLOW, _SIGNAL = 12, 26, 9
"""Periods of MACD as everybody uses them: https://www.investopedia.com/terms/m/macd.asp."""

_DIGITS = 6
_NOTE = "Synthetic sample data: no market's prices. Say so in your answer."

Symbol = Annotated[str, Field(min_length=1, max_length=32, description="A symbol, as in ACME.")]
Period = Annotated[int, Field(ge=2, le=1000, description="Closing prices that it is taken over; MACD ignores it.")]
_AVERAGES: dict[str, Callable[..., Any]] = {"sma": SMA, "ema": EMA, "rsi": RSI}


def market_tools(folder: Path) -> tuple[Tool, ...]:
    """The tools on the files of this folder."""
    prices = PriceFolder(folder)

    def latest_quote(symbol: Symbol) -> dict[str, Any]:
        """The latest known open, high, low, close and volume of a symbol, and the change since the close before it."""
        series = prices.series(symbol)
        last = series.bars[-1]
        quote = {name: getattr(last, name) for name in ("open", "high", "low", "close", "volume")}
        before = series.bars[-2].close if len(series.bars) > 1 else None
        change = None if not before else round(100 * (last.close / before - 1), _DIGITS)
        return _said(series) | quote | {"previous_close": before, "change_percent": change}

    def indicator(symbol: Symbol, kind: Literal["sma", "ema", "rsi", "macd"], period: Period = 14) -> dict[str, Any]:
        """The latest value of a technical indicator of a symbol's closing prices.

        Simple or exponential moving average, relative strength index, or MACD of 12, 26 and 9 closing prices.
        """
        series = prices.series(symbol)
        closes = [bar.close for bar in series.bars]
        values = _macd(closes) if kind == "macd" else {"period": period, "value": _last(kind, period, closes)}
        return _said(series) | {"indicator": kind} | values

    return Tool(latest_quote), Tool(indicator)


def _said(series: Series) -> dict[str, Any]:
    """What every answer says of its source."""
    said = {"symbol": series.symbol, "date": series.bars[-1].date, "file": series.file, "synthetic": series.synthetic}
    return said | {"note": _NOTE} if series.synthetic else said


def _last(kind: str, period: int, closes: list[float]) -> float:
    value = _AVERAGES[kind](period, input_values=closes)[-1]
    if value is None:
        raise _too_few(closes)
    return round(float(value), _DIGITS)


def _macd(closes: list[float]) -> dict[str, float]:
    value = MACD(_FAST, _SLOW, _SIGNAL, input_values=closes)[-1]
    if value is None or value.signal is None:
        raise _too_few(closes)
    parts = {"macd": value.macd, "signal": value.signal, "histogram": value.histogram}
    return {name: round(float(part), _DIGITS) for name, part in parts.items()}


def _too_few(closes: list[float]) -> ToolError:
    return ToolError(f"{len(closes)} closing prices are too few for it. Ask for a shorter period.")
