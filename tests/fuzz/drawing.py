"""Draws what a namespace may hold, and what may become of it between two scrapes."""

import json
import re
from dataclasses import replace

from fleetmeter.schema.definition import Definition, StoredDefinition, compact_json, distinct_bounds
from fleetmeter.schema.rows import ALIVE_US, Row
from fuzz import dice as pools
from fuzz.dice import Dice
from fuzz.namespace import NOW_US, Namespace

MODES = tuple(f"{live}{mode}" for live in ("", "live") for mode in ("sum", "min", "max", "mostrecent", "all"))

ADDED_UP = ("counter", "histogram", "summary")
TYPES = (*ADDED_UP, *ADDED_UP, "gauge", "info", "stateset")

RESERVED = {"histogram": "le", "summary": "quantile"}
"""Label names that prometheus_client refuses for a type."""

WRITERS = ("w1", "w2", "w3")

_FRACTION = re.compile(rb"[0-9]{1,17}\.[0-9]{1,17}")

STRANGE = 0.02
"""How often something is there that no writer of ours would write so."""


def namespace(dice: Dice, name: str) -> Namespace:
    """A namespace without families."""
    made = Namespace(name, cache_size=dice.choice((None, 0, 7)))
    writers(dice, made)
    return made


def writers(dice: Dice, into: Namespace) -> None:
    """Say which writers live."""
    into.replicas = dict(into.replicas)
    for writer in WRITERS:
        if dice.chance(0.9):
            into.rows[writer] = Row(1, 0, NOW_US - dice.choice((0, 0, 0, ALIVE_US)), dice.chance(0.1))
        into.replicas[writer] = dice.choice(("host:1", "host:2", f"pod:{writer}", 'p"\\\n'))


def family(dice: Dice, into: Namespace) -> None:
    """Put a family into the namespace: one layout or two, with what they hold."""
    name, kind = dice.text(pools.FAMILY_NAMES), dice.choice(TYPES)
    layouts = [definition(dice, name, kind)]
    if dice.chance(0.3):
        layouts.append(changed(dice, layouts[0]))
    if dice.chance(0.05):
        layouts.append(definition(dice, layouts[0].name, dice.choice(TYPES)))
    for place, layout in enumerate(layouts):
        at = dice.randint(1, 4) * 10**6 + NOW_US
        into.define(layout, at, at + place)
    for layout in layouts:
        contents(dice, into, layout)


def definition(dice: Dice, name: str, kind: str) -> Definition:
    """One layout of a family."""
    unit = dice.pick(pools.UNITS) if kind not in ("info", "stateset") else ""
    full = f"{name}_{unit}" if unit and not name.endswith(f"_{unit}") else name
    labels = {label_name(dice): None for _ in dice.some(3)}
    kept = [label for label in labels if label not in (RESERVED.get(kind), full if kind == "stateset" else None)]
    bounds = dice.choice(pools.BOUNDS) if kind == "histogram" else ()
    mode = dice.choice(MODES) if kind == "gauge" else ""
    states = list(dict.fromkeys(dice.text(pools.LABEL_VALUES) for _ in range(2))) if kind == "stateset" else ()
    return Definition.of(full, kind, dice.text(pools.HELPS), unit, kept, bounds, mode, states)


def label_name(dice: Dice) -> str:
    """A name that prometheus_client lets pass."""
    name = dice.text(pools.LABEL_NAMES)
    return name if not name.startswith("__") else "dunder"


def changed(dice: Dice, before: Definition) -> Definition:
    """Another version's definition of a family: of other bounds, help, order of labels, labels, or scale."""
    match dice.randint(0, 4):
        case 0 if before.type == "histogram":
            return replace(before, bounds=distinct_bounds(dice.choice(pools.BOUNDS)))
        case 1:
            more = label_name(dice)
            if more not in (*before.labels, RESERVED.get(before.type), before.name):
                return replace(before, labels=(more, *before.labels))
        case 2 if before.type in ADDED_UP:
            return replace(before, scale=dice.choice((1, 10**6, 10**9)))
        case 3 if before.labels:
            return replace(before, labels=before.labels[1:])
    return replace(before, help=dice.text(pools.HELPS), labels=before.labels[::-1])


def contents(dice: Dice, into: Namespace, layout: Definition) -> None:
    """Put some series of a layout into the namespace."""
    texts = pools.WHOLES
    if dice.chance(0.3):
        texts = pools.FRACTIONS
    elif dice.chance(0.2):
        texts = dice.choice((pools.LARGE, (*pools.WHOLES, *pools.LARGE), (*pools.WHOLES, *pools.NEGATIVE)))
    for _ in dice.some(3):
        values = tuple(dice.label_value() for _ in layout.labels)
        if layout.type in ADDED_UP:
            for part in parts_of(dice, layout):
                counts = texts is pools.FRACTIONS and part not in (None, "sum")  # of which there are only whole ones
                drawn = dice.pick(pools.WHOLES if counts and dice.chance(0.95) else texts)
                number(dice, into, layout, layout.series_field(values, part), drawn)
            if dice.chance(0.15):
                returned(dice, into, layout, values)
        else:
            statements(dice, into, layout, values)
    if layout.type in ADDED_UP and dice.chance(STRANGE):
        field = dice.choice(pools.FIELDS)
        text = dice.pick(pools.GARBAGE if dice.chance(0.3) else pools.WHOLES)
        into.numbers.setdefault(layout.field, {})[field] = text.encode()


def parts_of(dice: Dice, layout: Definition) -> list[str | None]:
    """The numbers that a series of the layout has; now and then one is missing, or is under another bound."""
    if layout.type == "counter":
        return [None]
    parts: list[str | None] = [*(layout.bounds if layout.type == "histogram" else ("count",)), "sum"]
    parts = [part for part in parts if dice.chance(0.9)]
    if dice.chance(0.2):
        parts.insert(dice.randint(0, len(parts)), dice.pick(pools.PARTS))
    return parts


def number(dice: Dice, into: Namespace, layout: Definition, field: str, text: str) -> None:
    """Put one number there, perhaps under a field that no writer would write so, perhaps with an exemplar."""
    if dice.chance(STRANGE / 4):
        field = json.dumps(json.loads(field))  # with spaces, and escapes for whatever is not ASCII
    if dice.chance(STRANGE / 4):
        text = dice.pick(pools.GARBAGE)
    if dice.chance(0.98):
        into.numbers.setdefault(layout.field, {})[field.encode()] = text.encode()
    if layout.type != "summary" and dice.chance(0.15):
        exemplar(dice, into, layout, field)


def returned(dice: Dice, into: Namespace, layout: Definition, values: tuple[str, ...]) -> None:
    """Say when a series of these values came back."""
    telling = layout.series_field(values, "sum" if layout.has_parts else None)
    into.returned[f"{layout.field} {telling}".encode()] = dice.choice(pools.TIMES)


def exemplar(dice: Dice, into: Namespace, layout: Definition, field: str) -> None:
    """Put an exemplar of a number there."""
    labels = {dice.choice(("trace_id", "a", "b")): dice.text(pools.LABEL_VALUES) for _ in dice.some(2)}
    at = dice.choice((0.0, 1.5, 1.5, 2.5, 1753000000.123456, 1e16, -1.5, 1e-05))
    value = dice.choice((0.0, 1.0, 0.5, -1.0, 1e300, 123456789.0))
    text = compact_json({"labels": labels, "value": value, "timestamp": at})
    into.exemplars[f"{layout.field} {field}".encode()] = f"1 {text}".encode()


def statements(dice: Dice, into: Namespace, layout: Definition, values: tuple[str, ...]) -> None:
    """Put what some writers state of one series there."""
    series = compact_json([layout.name, layout.layout, [values[place] for place in layout.sorted_positions]])
    for writer in (*WRITERS, "@folded"):
        if dice.chance(0.7):
            field = f"{writer} {series}".encode()
            into.gauges[field] = f"{dice.randint(0, 3)} {statement(dice, layout)}".encode()


def statement(dice: Dice, layout: Definition) -> str:
    """What a writer may say of a gauge, an info or a state set."""
    if dice.chance(STRANGE / 4):
        return dice.pick(pools.GARBAGE)
    match layout.type:
        case "gauge":
            return dice.pick((*pools.WHOLES, *pools.LARGE, *pools.NEGATIVE, ("nan", "inf", "-inf")))
        case "info":
            return compact_json({label_name(dice): dice.text(pools.LABEL_VALUES) for _ in dice.some(3)})
    return compact_json(dice.choice(layout.states) if dice.chance(0.9) else dice.text(pools.LABEL_VALUES))


def later(dice: Dice, before: Namespace) -> Namespace:
    """The namespace some time after: numbers grew, series and families came and went, definitions changed."""
    after = before.copy()
    for name, raw in list(after.numbers.items()):
        match dice.randint(0, 5):
            case 0:
                for field in list(raw)[:: dice.randint(1, 3)]:
                    raw[field] = _grown(raw[field], dice.randint(1, 1000))
            case 1 if raw:
                del raw[dice.choice(sorted(raw))]
            case 2:  # the store may give the same fields in another order
                after.numbers[name] = dict(reversed(raw.items()))
            case 3 | 4:
                layouts = [stored.definition for stored in after.definitions if stored.definition.field == name]
                for layout in layouts:
                    contents(dice, after, layout)
    for field in list(after.gauges):
        if dice.chance(0.1):
            after.gauges[field] = _stated_later(dice, after, field)
        elif dice.chance(0.03):
            del after.gauges[field]
    for stored in list(after.definitions):
        if stored in after.definitions and dice.chance(0.1):  # the one before it may have taken its place
            _redefine(dice, after, stored)
    if dice.chance(0.1):
        family(dice, after)
    if dice.chance(0.2):
        writers(dice, after)
    if after.exemplars and dice.chance(0.3):
        del after.exemplars[dice.choice(sorted(after.exemplars))]
    return after


def _stated_later(dice: Dice, into: Namespace, field: bytes) -> bytes:
    """What a writer states later in the place of a field."""
    name, layout, _ = json.loads(field.partition(b" ")[2])
    for stored in into.definitions:
        if (stored.definition.name, stored.definition.layout) == (name, layout):
            return f"{dice.randint(0, 9)} {statement(dice, stored.definition)}".encode()
    return into.gauges[field]


def _redefine(dice: Dice, into: Namespace, stored: StoredDefinition) -> None:
    """Define a family otherwise, or take a layout away, with its numbers or without."""
    if dice.chance(0.3):
        into.definitions.remove(stored)
        if dice.chance(0.5):
            into.numbers.pop(stored.definition.field, None)
        return
    layout = changed(dice, stored.definition)
    at = dice.randint(1, 4) * 10**6 + NOW_US
    into.define(layout, at, at + 10**7)
    if dice.chance(0.5):
        contents(dice, into, layout)


def _grown(text: bytes, amount: int) -> bytes:
    if text.isdigit() and len(text) < 4300:
        return str(int(text) + amount).encode()
    return repr(float(text) + amount / 8).encode() if _FRACTION.fullmatch(text) else text
