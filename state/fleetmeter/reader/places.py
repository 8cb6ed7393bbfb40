"""Where the numbers of a packed layout's series stand among its slots."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import islice
from operator import itemgetter
from typing import Any, overload

from fleetmeter.errors import StateError
from fleetmeter.reader.fields import Fields
from fleetmeter.reader.names import Names
from fleetmeter.schema.definition import compact_json
from fleetmeter.schema.packing import Shape

_REMAINDER = 2
"""The slot of a block that is the remainder, if its value has three slots."""

Pick = Callable[[Any], Any]
"""Takes slots out of all slots."""


class Group:
    """The blocks of one shape: where each begins, and the row of its series."""

    def __init__(self, shape: Shape, starts: Sequence[int], rows: Sequence[int]) -> None:
        self.shape = shape
        self.starts = starts
        self.rows = rows
        self.ends = [compact_json([part]).encode()[1:] for part in shape.parts] if shape.parts != ("",) else None
        """What the fields of a block's numbers end with; None if it has one number."""

    @cached_property
    def all_picks(self) -> list[Pick]:
        """For each slot of a block, what takes it of all blocks."""
        starts, step = self.starts, self.shape.slots
        if not starts:
            return [itemgetter(slice(0, 0))] * step
        if starts[-1] - starts[0] == step * (len(starts) - 1):  # blocks never overlap, so none is elsewhere
            return [itemgetter(slice(starts[0] + at, starts[-1] + at + 1, step)) for at in range(step)]
        return [itemgetter(*(start + at for start in starts)) for at in range(step)]


class _First(Sequence[bytes]):
    """The first items of a list that only grows, as they were however long it becomes; no copy is made of it."""

    def __init__(self, items: list[bytes], count: int) -> None:
        self._items, self._count = items, count

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        if isinstance(place, slice):
            return self._items[slice(*place.indices(self._count))]
        return self._items[range(self._count)[place]]

    def __len__(self) -> int:
        return self._count


class Places:
    """The series of a layout as rows, and their blocks in groups: one for each shape, with the newest block last.

    Raises `StateError` if a series has two blocks of one shape.
    """

    def __init__(self, names: Names, before: "Places | None" = None) -> None:
        self.names, self.gone, self.blocks = names, len(names.gone), len(names.starts)
        self.earlier = before if before is not None and self.grew_from(before) else None
        """What has the fields of an earlier read, until ours are asked for."""
        known = self.earlier.blocks if self.earlier is not None else 0
        self.kinds: set[int] = {*names.kinds[known:], *(self.earlier.kinds if self.earlier is not None else ())}
        """The numbers of all shapes that any block ever had."""
        self.series: Sequence[bytes]
        if self.gone or len(self.kinds) > 1:
            self.series, self.groups = _sorted(names)
            distinct = all(len(set(group.rows)) == len(group.rows) for group in self.groups)
        else:
            self.series = _First(names.series, self.blocks)
            self.groups = [Group(names.shapes[kind], names.starts[:], range(self.blocks)) for kind in self.kinds]
            new = set(self.series[known:])
            distinct = len(new) == self.blocks - known and new.isdisjoint(islice(names.series, known))
        if not distinct:
            raise StateError(names.key, "a series has two blocks of one shape", "bad_value")
        if before is not None:
            before.earlier = None

    def __len__(self) -> int:
        return len(self.series)

    @property
    def remainders(self) -> Sequence[bool]:
        """Which slots of a block are remainders, if all blocks ever were of one shape; else one slot that is none."""
        shapes = [self.names.shapes[kind] for kind in self.kinds]
        if len(shapes) != 1:
            return (False,)
        return [slot == _REMAINDER < shapes[0].value for slot in range(shapes[0].slots)]

    def grew_from(self, before: "Places") -> bool:
        """Whether nothing but new blocks came since. Then rows and groups are the same, with new ones behind them."""
        return before.names is self.names and before.gone == self.gone and before.blocks <= self.blocks

    @cached_property
    def fields(self) -> Fields:
        """A field for each number, as in a hash."""
        fields = list(dict.fromkeys(self.spelled))
        earlier, self.earlier = self.earlier, None
        known = earlier.__dict__.get("fields") if earlier is not None else None
        return Fields.after(known, fields) if known is not None else Fields(fields)

    @cached_property
    def spelled(self) -> list[bytes]:
        """The fields of each group, block by block. If a series has blocks of several shapes, some are there twice."""
        found: list[bytes] = []
        for group in self.groups:
            keys = list(map(self.series.__getitem__, group.rows))
            found += keys if group.ends is None else [_field(key, end) for key in keys for end in group.ends]
        return found

    def fields_of(self, group: Group, place: int) -> list[bytes]:
        """The fields of one block."""
        key = self.series[group.rows[place]]
        return [key] if group.ends is None else [_field(key, end) for end in group.ends]


def _sorted(names: Names) -> tuple[list[bytes], list[Group]]:
    rows: dict[bytes, int] = {}
    starts: dict[int, list[int]] = {}
    members: dict[int, list[int]] = {}
    blocks: Iterable[tuple[int, int, bytes]] = zip(names.starts, names.kinds, names.series, strict=True)
    for place, (start, kind, series) in enumerate(blocks):
        if place not in names.gone:
            starts.setdefault(kind, []).append(start)
            members.setdefault(kind, []).append(rows.setdefault(series, len(rows)))
    return list(rows), [Group(names.shapes[kind], starts[kind], members[kind]) for kind in starts]


def _field(series: bytes, end: bytes) -> bytes:
    """The field of a part, given that of its series; see `Definition.series_field`."""
    return series[:-1] + b"," + end if series != b"[]" else b"[" + end
