"""The lines of a counter, with kept text between the numbers."""

from bisect import bisect_left
from collections.abc import Mapping
from typing import cast

from prometheus_client.samples import Exemplar

from fleetmeter.reader.hashes import Hash
from fleetmeter_exporter.exposition.block import Block, picker


class CounterBlock(Block):
    """The lines of a counter."""

    _sorted: tuple[bytes, ...] = ()
    _starts: tuple[bytes, ...] = ()
    _created_lines: tuple[str, ...] = ()

    def _learn(self, fields: list[bytes]) -> bool:
        known = dict(zip(self._sorted, zip(self._starts, self._created_lines, strict=True), strict=True))
        for field in self._outdated:
            known.pop(field, None)
        start = self._line("_total")
        order = sorted(range(len(fields)), key=fields.__getitem__)
        found: dict[bytes, tuple[bytes, str]] = {}
        for field in [fields[place] for place in order]:
            lines = known.get(field)
            if lines is None:
                values = self._values(field)
                if values is None:
                    return False
                lines = start(values).encode(), self._created_line(field, values)
            found[field] = lines
        self._sorted = tuple(found)
        self._starts = tuple(first for first, _ in found.values())
        self._created_lines = tuple(second for _, second in found.values())
        self._pick = picker(order)
        self.samples = len(fields)
        self._among = self._keep_created(self._created_lines)
        return True

    def _line_of(self, field: bytes) -> int | None:
        place = bisect_left(self._sorted, field)
        return place if self._sorted[place : place + 1] == (field,) else None

    def _joined(self, numbers: Hash, exemplars: Mapping[bytes, Exemplar]) -> bytes:
        if self._layout.scale == 1:
            texts = list(self._pick(numbers.texts))
        else:
            wholes = self._pick(cast("list[int]", numbers.wholes))
            texts = [b"%a" % (whole / self._layout.scale) for whole in wholes]
        for place, example in self._examples_of(exemplars).items():
            texts[place] += example
        stride = 3 if self._among else 2
        pieces: list[bytes] = [b""] * (stride * len(texts))
        pieces[0::stride] = self._starts
        pieces[1::stride] = texts
        if self._among:
            pieces[2::stride] = [line.encode() for line in self._created_lines]
        return b"".join(pieces)
