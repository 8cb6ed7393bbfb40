"""Which labels the user wants, by argument or environment, and what is no label's name."""

import re
from collections.abc import Iterable, Mapping

from fleetmeter.attribution.labels import LONGEST, OTHER, UNSPECIFIED, UserLabel
from fleetmeter.errors import SettingError

VARIABLE = "FLEETMETER_LABELS"
MOST_VALUES = 10_000
"""Values that a label may have: as many label sets as a family holds."""

Wanted = Mapping[str, int | Iterable[str]]
"""By the name of a label how many values it may have, or which."""

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_PROMETHEUS = frozenset({"le", "quantile", "job", "instance", "replica", "namespace"})
_CATALOGUE = frozenset(
    {
        *("action", "answered", "budget", "endpoint", "intent", "label", "method", "model", "operation", "reason"),
        *(
            "result",
            "source",
            "service",
            "state",
            "status",
            "stream",
            "tier",
            "tool_name",
            "type",
            "usage",
            "version",
            "window",
        ),
    }
)
"""Labels of the catalogue's own, `intent` among them, which is always there."""


def labels_of(setting: str, wanted: Wanted) -> tuple[UserLabel, ...]:
    """The labels that an argument or a variable names. Raises `SettingError`."""
    if not isinstance(wanted, Mapping):
        raise SettingError(setting, f"{wanted!r} cannot be used; expected a number of values by name: {{'team': 50}}")
    return tuple(_label(setting, name, values) for name, values in wanted.items())


def from_text(text: str) -> tuple[UserLabel, ...]:
    """The labels that `FLEETMETER_LABELS` names: `team:50,tenant:500`. Raises `SettingError`."""
    wanted: dict[str, int | Iterable[str]] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, colon, number = (each.strip() for each in part.partition(":"))
        if not colon or not (number.isascii() and number.isdigit()):
            raise SettingError(VARIABLE, f"{part!r} cannot be used; expected names with numbers of values: team:50")
        if name in wanted:
            raise SettingError(VARIABLE, f"the label {name!r} is named twice; name it once")
        wanted[name] = int(number)
    return labels_of(VARIABLE, wanted)


def _label(setting: str, name: object, values: object) -> UserLabel:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.startswith("__"):
        raise SettingError(
            setting, f"{name!r} is no label's name; expected letters, digits and _, with no digit first, no __ first"
        )
    for owner, names in (("the catalogue has", _CATALOGUE), ("Prometheus or the exporter sets", _PROMETHEUS)):
        if name in names:
            raise SettingError(setting, f"{name!r} is a label that {owner} already; choose another name")
    if isinstance(values, int) and not isinstance(values, bool):
        if not 1 <= values <= MOST_VALUES:
            raise SettingError(setting, f"{name}: {values} cannot be used; expected 1 to {MOST_VALUES} values")
        return UserLabel(name, values)
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise SettingError(setting, f"{name}: {values!r} cannot be used; expected a number of values, or a list")
    named = tuple(values)
    for value in named:
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
            raise SettingError(setting, f"{name}: {value!r} is no value; expected texts of 1 to {LONGEST} characters")
    kept = {value for value in named if value not in (OTHER, UNSPECIFIED)}
    return UserLabel(name, len(kept), kept)
