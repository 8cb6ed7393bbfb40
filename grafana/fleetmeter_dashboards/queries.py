"""PromQL for the fleet's families, checked against their declarations.

Counters are summed, because the series of a target that took the place of another go on where that one ended. Gauges
are not: each target shows the same fleet, so the largest value is the fleet's. Two targets at once would double the
sums; the first panel of every dashboard says so (`first_row.trust`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fleetmeter_dashboards.errors import DashboardError, UndeclaredFamily, UndeclaredLabel
from fleetmeter_dashboards.families import DeclaredFamily, declared
from fleetmeter_exporter.exposition.own_metrics import NAMESPACE

RATE = "$__rate_interval"
RANGE = "$__range"
MOST = 10
"""Series that a panel shows at most, where a label may have dozens of values."""
HOUR = 3600
LAST_HOUR = "1h"
"""The one window that is no variable: what a panel says of the last hour must not follow the time that is shown."""
UNITS = {"usd": "currencyUSD", "seconds": "s", "bytes": "bytes", "": "short"}
"""Grafana's name of each unit that a family may have."""


@dataclass(frozen=True)
class Expression:
    """PromQL, the Grafana unit of its values, and the families that it reads."""

    text: str
    unit: str
    families: tuple[DeclaredFamily, ...]

    def per_hour(self) -> "Expression":
        """Dollars per hour instead of dollars per second."""
        return replace(self, text=f"{HOUR} * {self.text}", unit="suffix:$/h")

    def per_thousand(self, noun: str) -> "Expression":
        """Dollars for a thousand of something instead of for one."""
        return replace(self, text=f"1000 * {self.text}", unit=f"suffix:$/1k {noun}")

    def largest(self) -> "Expression":
        """The series with the largest values; for one instant, as their choice may change from one to the next."""
        return replace(self, text=f"topk({MOST}, {self.text})")

    def occurred(self) -> "Expression":
        """The series that are above 0."""
        return replace(self, text=f"{self.text} > 0")

    @property
    def variables(self) -> frozenset[str]:
        """The dashboard's variables that choose what is in it."""
        return frozenset(re.findall(r"=~\"\$(\w+)\"", self.text))


class Queries:
    """Builds expressions; `variables` are the dashboard's variables that choose label values, `labels` the user's own.

    A family that has a label of that name is filtered by it. Raises `UndeclaredFamily` and `UndeclaredLabel`.
    """

    def __init__(
        self, *variables: str, labels: Sequence[str] = (), families: Mapping[str, DeclaredFamily] | None = None
    ) -> None:
        self._variables = (*variables, *labels)
        self._labels = labels
        self._families = declared() if families is None else families

    def rate(self, name: str, *by: str, part: str = "", **where: str) -> Expression:
        """The increase per second of a counter, or of a part of a histogram, summed."""
        return self._sum("rate", RATE, name, by, part, where)

    def increase(self, name: str, *by: str, part: str = "", **where: str) -> Expression:
        """How much it grew within the time that is shown, summed."""
        grown = self._sum("increase", RANGE, name, by, part, where)
        return replace(grown, unit="locale") if grown.unit == "short" else grown

    def last_hour(self, name: str) -> Expression:
        """How much it grew within the last hour, whatever time is shown, summed."""
        return self._sum("increase", LAST_HOUR, name, (), "", {})

    def added(self, name: str) -> Expression:
        """What a counter counted within the time that is shown, with the first values of series that came in it.

        `increase` does not see those. They matter where one event is already one too many. A series that was only
        out of sight at the window's start, because exporter or store were away then, is none of them.
        """
        family = self._family(name)
        selector = self._selector(family, "", {})
        away = " or ".join(f'min({each}{{job="$job"}} offset {RANGE}) == 0' for each in ("fleetmeter_up", "up"))
        born = f"({selector} unless {selector} offset {RANGE} unless on () ({away}))"
        return Expression(f"sum({born} or increase({selector}[{RANGE}]))", UNITS[family.unit], (family,))

    def top(self, expression: Expression, name: str, *by: str, part: str = "") -> Expression:
        """Of an expression by some labels, the series whose `name` grew most within the time that is shown."""
        family = self._family(name, *by)
        grown = f"increase({self._selector(family, part, {})}[{RANGE}] @ end())"
        labels = ", ".join(by)
        text = f"{expression.text} and on ({labels}) topk({MOST}, sum by ({labels}) ({grown}))"
        return Expression(text, expression.unit, (*expression.families, family))

    def only(self, *variables: str) -> "Queries":
        """The same, filtered by these of the variables, and by the labels of the user's own."""
        named = [name for name in self._variables if name in variables and name not in self._labels]
        return Queries(*named, labels=self._labels, families=self._families)

    def value(self, name: str, *by: str, how: str = "max", **where: str) -> Expression:
        """A gauge as it stands; `how` decides between the namespaces that an exporter may serve side by side."""
        family = self._family(name, *by)
        return Expression(f"{how}{_by(by)}({self._selector(family, '', where)})", UNITS[family.unit], (family,))

    def amount(self, name: str) -> Expression:
        """A gauge of something that adds up, over the namespaces that an exporter may serve side by side."""
        family = self._family(name)
        text = f"sum(max by ({NAMESPACE}) ({self._selector(family, '', {})}))"
        return Expression(text, UNITS[family.unit], (family,))

    def quantile(self, share: float, name: str, *by: str, **where: str) -> Expression:
        """The value below which this share of the observations lies."""
        buckets = self._sum("rate", RATE, name, ("le", *by), "bucket", where)
        return replace(
            buckets, text=f"histogram_quantile({share}, {buckets.text})", unit=UNITS[self._family(name).unit]
        )

    def buckets(self, name: str, **where: str) -> Expression:
        """Observations per second below each bound, for a heatmap."""
        return self._sum("rate", RATE, name, ("le",), "bucket", where)

    def age(self, name: str) -> Expression:
        """Seconds since a gauge's time."""
        value = self.value(name)
        return replace(value, text=f"time() - {value.text}")

    def since(self, name: str) -> Expression:
        """When the first sample within the time that is shown was taken, to the minute, in Unix seconds."""
        family = self._family(name)
        moment = f"timestamp({self._selector(family, '', {})})"
        return Expression(f"min(min_over_time({moment}[{RANGE}:1m]) or {moment})", "s", (family,))

    def before(self, expression: Expression, window: str) -> Expression:
        """What a gauge's expression was so long before."""
        return replace(expression, text=expression.text.replace("})", f"}} offset {window})"))

    def or_zero(self, expression: Expression, label: str = "", text: str = "none") -> Expression:
        """The expression, or 0 where it has no series although the store can be read; `label` then says `text`."""
        up = self.value("fleetmeter_up")
        zero = f"0 * ({up.text} > 0)"
        if label:
            zero = f'label_replace({zero}, "{label}", "{text}", "", "")'
        return replace(expression, text=f"{expression.text} or on () {zero}")

    def unless(self, expression: Expression, other: Expression) -> Expression:
        """The expression, or nothing if another one has a series."""
        text = f"({expression.text}) unless on () {other.text}"
        return Expression(text, expression.unit, (*expression.families, *other.families))

    def _sum(
        self, function: str, window: str, name: str, by: tuple[str, ...], part: str, where: dict[str, str]
    ) -> Expression:
        family = self._family(name, *by)
        inner = f"{function}({self._selector(family, part, where)}[{window}])"
        unit = UNITS["" if part in ("bucket", "count") else family.unit]
        return Expression(f"sum{_by(by)}({inner})", unit, (family,))

    def _family(self, name: str, *labels: str) -> DeclaredFamily:
        if name not in self._families:
            raise UndeclaredFamily(name, self._families)
        family = self._families[name]
        for label in labels:
            if label not in family.labels and not (label == "le" and family.type == "histogram"):
                raise UndeclaredLabel(name, label, family.labels)
        return family

    def _selector(self, family: DeclaredFamily, part: str, where: Mapping[str, str]) -> str:
        """A selector: values in `where` that begin with `~` are regular expressions."""
        self._family(family.name, *where)
        matchers = ['job="$job"']
        matchers += [f'{name}=~"${name}"' for name in self._variables if name in family.labels and name not in where]
        for name, value in where.items():
            matchers.append(f'{name}=~"{value[1:]}"' if value.startswith("~") else f'{name}="{value}"')
        series = f"{family.name}_{part}" if part else family.series[0]
        return f"{series}{{{', '.join(matchers)}}}"


def per_second(noun: str) -> str:
    """Grafana's unit of so many of something in a second: `per_second("tokens")` is written as 12.3K tokens/s."""
    return f"count:{noun}/s"


def ratio(part: Expression, whole: Expression) -> Expression:
    """Part of a whole, from 0 to 1: 0 where the part has no series, nothing where the whole is 0."""
    _require_same_choice(part, whole)
    text = f"({part.text} or 0 * {whole.text}) / ({whole.text} > 0)"
    return Expression(text, "percentunit", (*part.families, *whole.families))


def quotient(amount: Expression, number: Expression) -> Expression:
    """An amount for each of a number, in the unit of the amount; nothing where the number is 0."""
    _require_same_choice(amount, number)
    return Expression(f"{amount.text} / ({number.text} > 0)", amount.unit, (*amount.families, *number.families))


def _require_same_choice(one: Expression, other: Expression) -> None:
    if one.variables != other.variables:
        raise DashboardError(
            f"{one.families[0].name} follows the variables {sorted(one.variables)} and {other.families[0].name} "
            f"{sorted(other.variables)}: their ratio would mean nothing; take those of both with only()"
        )


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)}) " if labels else ""
