"""Tables in HTML. Everything that is stored is escaped."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from html import escape

from fleetmeter.cli.doctor.check import Check, Status
from fleetmeter.cli.printing import NOTHING, seconds_text
from fleetmeter.watching.figures import Replica
from fleetmeter.watching.measures import OTHERS
from fleetmeter.watching.shown import Shown
from fleetmeter.watching.totals import Totals
from fleetmeter_board.charts import Chart, named, paint
from fleetmeter_board.colours import BAD, GOOD, WARNING, colour, variable
from fleetmeter_board.numbers import dollars, per_second, share, whole

_ROWS = 20
"""Rows of a table at most; the page has a bound, whatever a label takes for values."""
_CIRCUITS = {0: ("closed", "good"), 1: ("half-open", "warn"), 2: ("open", "bad")}
_TONES = {Status.OK: "good", Status.WARN: "warn", Status.FAIL: "bad", Status.UNKNOWN: ""}


def table(
    caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[int] = (), kind: str = ""
) -> str:
    """A table; cells are HTML, heads and caption are text. The first cell of a row is its head."""
    classes = ["n" if place in numeric else "" for place in range(len(heads))]
    top = "".join(
        f'<th scope="col" class="{side}">{escape(head)}</th>' for head, side in zip(heads, classes, strict=True)
    )
    body = "".join(
        f'<tr><th scope="row">{first}</th>'
        + "".join(f'<td class="{side}">{cell}</td>' for cell, side in zip(rest, classes[1:], strict=True))
        + "</tr>"
        for first, *rest in rows
    )
    return (
        f'<div class="scroll {kind}" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def legend(chart: Chart, shown: Shown) -> str:
    """The colours of a chart's lines, each with its name and its value now."""
    items = "".join(
        f"<li>{_swatch(paint(chart, name))}{escape(named(chart, name))} <b>{chart.write(_last(line))}</b></li>"
        for name, line in chart.lines(shown).items()
    )
    return f'<ul class="legend">{items}</ul>'


def numbers(chart: Chart, shown: Shown) -> str:
    """A chart as a table: what each line holds now, its mean and its maximum."""
    rows = []
    for name, line in chart.lines(shown).items():
        known = [value for value in line if value is not None]
        mean = sum(known) / len(known) if known else None
        cells = (_last(line), mean, max(known, default=None))
        rows.append((escape(named(chart, name)), *(chart.write(cell) for cell in cells)))
    return table(f"{chart.title} ({chart.unit})", ("", "now", "mean", "most"), rows, (1, 2, 3))


def amounts(
    title: str, label: str, shown: Shown, measure: str, total: Mapping[str, int], span: str, began: str,
    write: Callable[[float | None], str] = dollars,
) -> str:  # fmt: skip
    """What each value of a label amounts to: within the time shown, and since counting began; dearest first."""
    within = shown.amounts.get(measure, {})
    order = sorted({*within, *total}, key=lambda name: (-within.get(name, 0), -total.get(name, 0), name))
    largest = max([*within.values(), 0.0])
    if write is dollars:
        write = partial(dollars, beside=max([largest, *total.values()]))
    rows = []
    for name in order[:_ROWS]:
        found = colour(label, "other" if name == OTHERS else name)
        amount = within.get(name, 0.0)
        part = amount / largest * 100 if largest else 0
        bar = f'<div class="meter" style="width:{part:.1f}%;background:{found}" aria-hidden="true"></div>'
        cell = f"{_swatch(found)}{escape(name or '(none)')}{bar}"
        rows.append((cell, write(amount), write(total[name]) if name in total else NOTHING))
    if len(order) > _ROWS:
        rest = order[_ROWS:]
        rows.append((
            f"{len(rest)} more", write(sum(within.get(name, 0) for name in rest)),
            write(sum(total.get(name, 0) for name in rest)),
        ))  # fmt: skip
    return table(title, (label, span, began), rows, (1, 2))


def replicas(found: Sequence[Replica]) -> str:
    """One row for each process that records."""
    rows: list[tuple[str, ...]] = [
        (
            f'{escape(one.name)}<span class="unseen">{"" if one.alive else ", silent"}</span>',
            f'<span class="{"good" if one.alive else "bad"}">{"alive" if one.alive else "silent"}</span>',
            escape(one.pid or NOTHING),
            escape(one.version or NOTHING),
            seconds_text(one.silent),
            whole(one.requests),
            per_second(one.per_second),
            whole(one.errors),
        )
        for one in found[:_ROWS]
    ]
    if len(found) > _ROWS:
        rows.append((f"{len(found) - _ROWS} more", *([""] * 7)))
    heads = ("replica", "state", "pid", "version", "last sign", "requests", "now", "errors")
    return table("Processes that record, since each one started", heads, rows, (2, 4, 5, 6, 7), "wide")


def circuits(totals: Totals) -> str:
    """The state of each model's circuit breaker."""
    rows = []
    for labels, value in sorted(
        totals.series("model_circuit_state"), key=lambda one: (-one[1], sorted(one[0].items()))
    ):
        word, kind = _CIRCUITS.get(round(value), (f"{value:g}", ""))
        rows.append((escape(labels.get("model", "")), f'<span class="{kind}">{word}</span>'))
    return table("Circuit breakers: closed, calls pass; open, none do", ("model", "state"), rows[:_ROWS])


def budgets(totals: Totals) -> str:
    """What is spent of each budget in its present window."""
    limits = {tuple(sorted(labels.items())): value for labels, value in totals.series("budget_limit_usd")}
    rows = []
    for labels, spent in totals.series("budget_spent_usd"):
        limit = limits.get(tuple(sorted(labels.items())))
        used = spent / limit if limit else None
        tint = GOOD if used is None or used < 0.75 else WARNING if used < 0.9 else BAD
        part = min(1.0, used or 0.0) * 100
        bar = f'<div class="meter" style="width:{part:.1f}%;background:{variable(tint)}" aria-hidden="true"></div>'
        name = f"{labels.get('budget', '')}, {labels.get('window', '')}"
        cells = (dollars(spent * 1e9), NOTHING if limit is None else dollars(limit * 1e9), share(used))
        rows.append((f"{escape(name)}{bar}", *cells))
    return table("Budgets in their present windows", ("budget", "spent", "limit", "used"), rows[:_ROWS], (1, 2, 3))


def findings(checks: Sequence[Check]) -> str:
    """What `fleetmeter doctor` says."""
    rows = [
        (
            escape(check.subject),
            f'<span class="{_TONES[check.status]}">{escape(check.status)}</span>',
            f"{escape(check.found)}; {escape(check.meaning)}",
        )
        for check in checks
    ]
    return table(
        "What fleetmeter doctor says of the store", ("subject", "", "found, and what it means"), rows, kind="wide"
    )


def facts(caption: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Names and texts."""
    return table(caption, ("", ""), [(escape(name), escape(text)) for name, text in pairs], (1,))


def _last(line: Sequence[float | None]) -> float | None:
    return line[-1] if line else None


def _swatch(paint: str) -> str:
    return f'<span class="swatch" style="background:{paint}" aria-hidden="true"></span>'
