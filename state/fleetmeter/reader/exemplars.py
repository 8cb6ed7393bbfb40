"""The exemplars of snapshots by layout. Of those that are as they were in the last one nothing is read again."""

from collections.abc import Mapping
from itertools import compress, repeat
from operator import ne
from threading import Lock

from prometheus_client.samples import Exemplar

from fleetmeter.reader.fields import Fields
from fleetmeter.reader.hashes import Hash
from fleetmeter.schema.exemplars import read_exemplar
from fleetmeter.schema.keys import split_note

ByNumber = Mapping[bytes, Exemplar]
"""The exemplars of a layout that can be served, by the field of their number."""


class Exemplars:
    """Reads the exemplars of one snapshot after the other. Any number of threads may use it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._fields, self._texts = Fields(), list[bytes]()
        self._numbers: list[tuple[str, bytes]] = []  # the layout of each, and the field of its number
        self._by_layout: dict[str, dict[bytes, Exemplar]] = {}

    def of(self, raw: Mapping[bytes, bytes]) -> Mapping[str, ByNumber]:
        """The exemplars in a snapshot's hash, by layout (its field in `families`).

        Those of a layout are the same object as long as nothing of them changed.
        """
        with self._lock:
            self._see(Hash.of(raw))
            return self._by_layout

    def _see(self, stored: Hash) -> None:
        fields, texts, gone = stored.fields, [*self._texts], list[tuple[str, bytes]]()
        if fields is not self._fields:
            change = fields.since(self._fields)
            gone = [self._numbers[place] for place in change.gone]
            self._numbers = change.carried(self._numbers, [split_note(fields[place]) for place in change.came])
            texts = change.carried(texts, repeat(b"", len(change.came)))
        changed = list(compress(range(len(texts)), map(ne, stored.texts, texts)))
        touched = {layout for layout, _ in gone}.union(self._numbers[place][0] for place in changed)
        # whoever asked before has the old ones, which stay as they are
        self._by_layout = self._by_layout | {layout: {**self._by_layout.get(layout, {})} for layout in touched}
        for layout, number in gone:
            self._by_layout[layout].pop(number, None)
        for place in changed:
            layout, number = self._numbers[place]
            exemplar = read_exemplar(stored.texts[place].partition(b" ")[2].decode("utf-8", "replace"))
            if exemplar is not None:
                self._by_layout[layout][number] = exemplar
            else:
                self._by_layout[layout].pop(number, None)
        self._fields, self._texts = fields, stored.texts
