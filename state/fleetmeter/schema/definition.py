"""What a family is: the self-description that lets the exporter serve metrics whose code it never saw."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Any

from fleetmeter.errors import StateError
from fleetmeter.schema.keys import family_field, split_family_field
from fleetmeter.schema.scale import ADDED_TYPES, Scale, scale_of

OWN_PREFIX = "fleetmeter_"
"""What the names of the machinery's own families begin with."""

PACKED = "packed "
"""What the type of a layout whose numbers are packed begins with in the store.

A version that cannot read packed numbers meets a type that it does not know, leaves the family out and says so.
"""

MAX_SERIES = 10_000
"""Label sets that a family may hold. Further ones go to one series whose label values are `__overflow__`."""


def compact_json(value: Any) -> str:
    """JSON without spaces; text that UTF-8 cannot hold (lone surrogates) becomes `?`."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()


def read_json(raw: bytes | str) -> Any:
    """What a stored JSON text holds. Raises `ValueError` if it is no JSON, or nested too deeply."""
    try:
        return json.loads(raw if isinstance(raw, str) else raw.decode())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def texts_of(value: Any) -> list[str]:
    """The value itself if it is a list of texts that UTF-8 can hold; raises `ValueError` or `TypeError`."""
    if not isinstance(value, list):
        raise TypeError(f"expected a list of texts, not {type(value).__name__}")
    "".join(value).encode()  # refuses what is no text, and lone surrogates
    return value


def series_key(number: bytes, *, has_part: bool) -> bytes:
    """What the fields of all numbers of one series begin with; see `Definition.series_field`."""
    return number.rpartition(b',"')[0] if has_part else number


def distinct_bounds(bounds: Sequence[str]) -> tuple[str, ...]:
    """Each bound once, by its first spelling: `1, 1, 2` has two buckets, and `-0.0, 0.0` is one bound."""
    first: dict[float, str] = {}
    for text in bounds:
        first.setdefault(float(text), text)
    return tuple(first.values())


@dataclass(frozen=True)
class Definition:
    """One layout of a family.

    `labels` are in display order, `bounds` are a histogram's upper bounds as Prometheus writes them, `mode` is a
    gauge's multiprocess mode, `scale` is the number of stored units per unit of the family, `states` are those that a
    state set may have, `packed` says that the numbers are packed (see `schema/packing.py`) and not fields of a hash.
    From these follow `layout`, a digest of type, sorted label names, scale and packing, which decides the meaning of a
    stored number; `field`, the field of this layout in the `families` hash and the end of its key; `sorted_positions`,
    the position of each label in display order, listed in the order of sorted names.
    """

    name: str
    type: str
    help: str = ""
    unit: str = ""
    labels: tuple[str, ...] = ()
    bounds: tuple[str, ...] = ()
    mode: str = ""
    scale: int = Scale.PLAIN
    states: tuple[str, ...] = ()
    packed: bool = False
    layout: str = dataclasses.field(init=False, repr=False, compare=False)
    field: str = dataclasses.field(init=False, repr=False, compare=False)
    sorted_positions: tuple[int, ...] = dataclasses.field(init=False, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        name: str,
        metric_type: str,
        help_text: str,
        unit: str,
        labels: Sequence[str],
        bounds: Sequence[str],
        mode: str,
        states: Sequence[str] = (),
        *,
        packed: bool = False,
    ) -> "Definition":
        """A definition whose scale follows from the unit or the name. Only types that are added up can be `packed`."""
        packed = packed and metric_type in ADDED_TYPES
        scale = scale_of(name, unit, metric_type)
        if packed and scale is Scale.PLAIN:
            scale = Scale.FEMTO
        shown = distinct_bounds(bounds)
        return cls(name, metric_type, help_text, unit, tuple(labels), shown, mode, scale, tuple(states), packed)

    def __post_init__(self) -> None:
        # Not cached properties: before Python 3.12 those take a lock, which a fork may copy while it is held.
        meaning = compact_json([self.stored_type, sorted(self.labels), int(self.scale)])
        layout = hashlib.sha256(meaning.encode()).hexdigest()[:8]
        positions = tuple(sorted(range(len(self.labels)), key=self.labels.__getitem__))
        object.__setattr__(self, "layout", layout)
        object.__setattr__(self, "field", family_field(self.name, layout))
        object.__setattr__(self, "sorted_positions", positions)

    @property
    def stored_type(self) -> str:
        """The type as it is stored."""
        return PACKED + self.type if self.packed else self.type

    @property
    def twin(self) -> "Definition | None":
        """The same in the other format, packed or not; None for a type that is never packed."""
        if self.type not in ADDED_TYPES:
            return None
        scales = {Scale.FEMTO: Scale.PLAIN} if self.packed else {Scale.PLAIN: Scale.FEMTO}
        return dataclasses.replace(self, packed=not self.packed, scale=scales.get(Scale(self.scale), self.scale))

    @property
    def has_parts(self) -> bool:
        """Whether a series has several numbers: buckets or a count, and a sum."""
        return self.type in ("histogram", "summary")

    def series_field(self, values: Sequence[str], part: str | None = None) -> str:
        """The field of one number: label values by sorted name, then the bound, `sum` or `count` if it has one."""
        items = [values[position] for position in self.sorted_positions]
        if part is not None:
            items.append(part)
        return compact_json(items)

    def to_json(self) -> str:
        """The text that is stored; equal definitions give equal text."""
        content = {
            "type": self.stored_type,
            "help": self.help,
            "unit": self.unit,
            "labels": self.labels,
            "bounds": self.bounds,
            "mode": self.mode,
            "scale": int(self.scale),
        }
        if self.states:
            content["states"] = self.states
        return compact_json(content)


@dataclass(frozen=True)
class StoredDefinition:
    """A definition as it was read back.

    `first_us` is when this layout was first registered, `defined_us` when this text of it was (store clock, µs).
    """

    definition: Definition
    first_us: int
    defined_us: int

    @classmethod
    def parse(cls, field: str, text: str) -> "StoredDefinition":
        """Read one field of `families`. Raises `StateError` if it is not in this format."""
        try:
            first, defined, body = text.split(" ", 2)
            raw = read_json(body)
            kind, help_text, unit, mode = texts_of([raw["type"], raw["help"], raw["unit"], raw["mode"]])
            packed = kind.startswith(PACKED) and kind.removeprefix(PACKED) in ADDED_TYPES
            definition = Definition(
                name=_checked_name(split_family_field(field)[0]),
                type=kind.removeprefix(PACKED) if packed else kind,
                help=help_text,
                unit=unit,
                labels=_checked_labels(texts_of(raw["labels"])),
                bounds=_checked_bounds(texts_of(raw["bounds"])),
                mode=mode,
                scale=_checked_scale(raw["scale"]),
                states=tuple(texts_of(raw.get("states", []))),
                packed=packed,
            )
            stored = cls(definition, int(first), int(defined))
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(f"families[{field}]", f"no definition of this state format ({error!r})") from error
        if definition.field != field:
            raise StateError(f"families[{field}]", f"describes the layout {definition.layout}")
        return stored


def _checked_name(name: str) -> str:
    if not name:
        raise ValueError("the family has no name")
    return name


def _checked_labels(labels: list[str]) -> tuple[str, ...]:
    if len(set(labels)) != len(labels):
        raise ValueError("a label is there twice")
    return tuple(labels)


def _checked_bounds(bounds: list[str]) -> tuple[str, ...]:
    """No bounds, or bounds that ascend up to infinity, so that every observation has a bucket; each of them once."""
    distinct = distinct_bounds(bounds)
    numbers = [float(text) for text in distinct]
    if numbers and not (all(low < high for low, high in pairwise(numbers)) and numbers[-1] == inf):
        raise ValueError("the bounds do not ascend up to '+Inf'")
    return distinct


def _checked_scale(scale: Any) -> int:
    if type(scale) is not int or scale < 1:
        raise ValueError(f"the scale {scale!r} is no whole number from 1")
    return scale
