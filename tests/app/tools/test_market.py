"""The two tools on OHLCV files: what they read, what they refuse, and that their figures are right."""

import csv
import itertools
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from fleetmeter_app.errors import ToolError
from fleetmeter_app.tools.market import market_tools

SAMPLES = Path(__file__).parents[3] / "examples" / "ohlcv"
HEAD = "date,open,high,low,close,volume\n"


def ask(folder: Path, name: str, **arguments: Any) -> dict[str, Any]:
    """What a tool on this folder returns."""
    tools = {tool.name: tool for tool in market_tools(folder)}
    answer: dict[str, Any] = tools[name].bound(arguments)()
    json.dumps(answer, allow_nan=False)
    return answer


def write(folder: Path, name: str, closes: list[float], head: str = HEAD) -> None:
    """A file with these closing prices, one a day."""
    rows = "".join(f"2026-01-{day:02},1,2,0.5,{close},100\n" for day, close in enumerate(closes, 1))
    (folder / name).write_text(head + rows, encoding="utf-8")


def closes_of(symbol: str) -> list[float]:
    """The closing prices of a sample."""
    with (SAMPLES / f"{symbol}.synthetic.csv").open() as file:
        return [float(row["close"]) for row in csv.DictReader(file)]


def test_the_latest_quote_is_the_last_row(tmp_path: Path) -> None:
    """With the change since the row before, whatever case the symbol has; a single row has none."""
    write(tmp_path, "ACME.csv", [10, 12])
    quote = ask(tmp_path, "latest_quote", symbol="acme")
    assert quote == {
        "symbol": "ACME",
        "date": "2026-01-02",
        "file": "ACME.csv",
        "synthetic": False,
        "open": 1,
        "high": 2,
        "low": 0.5,
        "close": 12,
        "volume": 100,
        "previous_close": 10,
        "change_percent": 20,
    }
    write(tmp_path, "ACME.csv", [10])
    assert ask(tmp_path, "latest_quote", symbol="ACME")["change_percent"] is None


def test_each_answer_on_samples_says_that_they_are_made_up(tmp_path: Path) -> None:
    """By a field and a note; of a real and a synthetic file for one symbol the real one is read."""
    assert {path.name.split(".", 1)[1] for path in SAMPLES.iterdir()} == {"synthetic.csv"}
    for answer in (
        ask(SAMPLES, "latest_quote", symbol="ACME"),
        ask(SAMPLES, "indicator", symbol="GLOBEX", kind="macd"),
    ):
        assert answer["synthetic"] is True
        assert "Synthetic" in answer["note"]
    write(tmp_path, "ACME.synthetic.csv", [1])
    write(tmp_path, "ACME.csv", [2])
    assert ask(tmp_path, "latest_quote", symbol="ACME")["close"] == 2


def test_averages_are_what_their_definitions_say() -> None:
    """SMA: the mean. EMA: 2/(n+1) of each new close, begun with the mean of the first n."""
    closes = closes_of("ACME")
    simple = ask(SAMPLES, "indicator", symbol="ACME", kind="sma", period=20)["value"]
    assert simple == pytest.approx(math.fsum(closes[-20:]) / 20, abs=1e-6)
    exponential = ask(SAMPLES, "indicator", symbol="ACME", kind="ema", period=20)["value"]
    assert exponential == pytest.approx(averages(closes, 20)[-1], abs=1e-6)


def averages(values: list[float], period: int) -> list[float]:
    """The exponential moving averages, from the first on that there is."""
    found = [math.fsum(values[:period]) / period]
    for value in values[period:]:
        found.append(found[-1] + 2 / (period + 1) * (value - found[-1]))
    return found


def test_rsi_is_what_wilder_says() -> None:
    """100 - 100 / (1 + gains / losses), each smoothed by 1/n."""
    closes = closes_of("ACME")
    moves = [after - before for before, after in itertools.pairwise(closes)]
    gain = math.fsum(max(move, 0) for move in moves[:14]) / 14
    loss = math.fsum(max(-move, 0) for move in moves[:14]) / 14
    for move in moves[14:]:
        gain, loss = (gain * 13 + max(move, 0)) / 14, (loss * 13 + max(-move, 0)) / 14
    value = ask(SAMPLES, "indicator", symbol="ACME", kind="rsi")["value"]
    assert value == pytest.approx(100 - 100 / (1 + gain / loss), abs=1e-6)


def test_macd_is_the_difference_of_two_averages() -> None:
    """Of 12 and 26 closes, its own average of 9, and the difference of these two."""
    closes = closes_of("ACME")
    fast, slow = averages(closes, 12)[14:], averages(closes, 26)
    line = [one - other for one, other in zip(fast, slow, strict=True)]
    signal = averages(line, 9)[-1]
    answer = ask(SAMPLES, "indicator", symbol="ACME", kind="macd")
    assert answer["macd"] == pytest.approx(line[-1], abs=1e-6)
    assert answer["signal"] == pytest.approx(signal, abs=1e-6)
    assert answer["histogram"] == pytest.approx(line[-1] - signal, abs=1e-6)


@pytest.mark.parametrize("kind", ["sma", "ema", "rsi", "macd"])
def test_too_few_prices_are_told(tmp_path: Path, kind: str) -> None:
    """No indicator is made of fewer closes than it needs."""
    write(tmp_path, "ACME.csv", [10, 12, 11])
    with pytest.raises(ToolError, match="3 closing prices are too few"):
        ask(tmp_path, "indicator", symbol="ACME", kind=kind)


@pytest.mark.parametrize(
    "symbol", ["../outside", "..", "/etc/passwd", "LINK", "LINKED/outside", "ACME.csv", "a\0b", "PIPE", "DIR", "NOTE"]
)
def test_nothing_outside_the_folder_is_read(tmp_path: Path, symbol: str) -> None:
    """A symbol is no path: only the folder's own CSV files are read, and no link that leads out of it."""
    write(tmp_path, "outside.csv", [666])
    folder = tmp_path / "prices"
    folder.mkdir()
    write(folder, "ACME.csv", [1])
    (folder / "NOTE.txt").write_text("no prices")
    (folder / "LINK.csv").symlink_to(tmp_path / "outside.csv")
    (folder / "LINKED").symlink_to(tmp_path)
    (folder / "DIR.csv").mkdir()
    os.mkfifo(folder / "PIPE.csv")
    with pytest.raises(ToolError, match=r"There are prices of: ACME\."):
        ask(folder, "latest_quote", symbol=symbol)


def test_a_link_inside_the_folder_is_read(tmp_path: Path) -> None:
    """As mounted configurations have them."""
    (tmp_path / "..data").mkdir()
    write(tmp_path / "..data", "real.csv", [5])
    (tmp_path / "ACME.csv").symlink_to(tmp_path / "..data" / "real.csv")
    assert ask(tmp_path, "latest_quote", symbol="ACME")["close"] == 5


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "columns"),
        (b"date,open\n", "columns"),
        (HEAD.encode(), "no prices"),
        (HEAD.encode() + b"2026-01-01,1,2,3\n", "line 2"),
        (HEAD.encode() + b"yesterday,1,2,3,4,5\n", "line 2"),
        (HEAD.encode() + b"2026-01-01,1,2,3,nan,5\n", "line 2"),
        (HEAD.encode() + b"2026-01-02,1,2,3,4,5\n2026-01-01,1,2,3,4,5\n", "line 3"),
        (HEAD.encode() + b"2026-01-02,1,2,3,4,5\n2026-01-03T00:00Z,1,2,3,4,5\n", "line 3"),
        (HEAD.encode() + b'"' + b"x" * 200_000, "CSV"),
        (b"\xff\xfe", "cannot be read"),
        (HEAD.encode() + b"x" * (8 * 2**20), "larger than"),
    ],
)
def test_files_that_are_no_prices_are_told(tmp_path: Path, content: bytes, told: str) -> None:
    """With the file's name and the line, and never more of it than is bounded."""
    (tmp_path / "ACME.csv").write_bytes(content)
    with pytest.raises(ToolError, match=told) as raised:
        ask(tmp_path, "latest_quote", symbol="ACME")
    assert "ACME.csv" in str(raised.value)
    assert len(str(raised.value)) < 200
