"""Puts away what ended writers and removed series left.

Each replica looks now and then whether it is time, and one of them does it.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from time import monotonic
from typing import Protocol

from fleetmeter.errors import StateError
from fleetmeter.schema.definition import StoredDefinition, read_json, texts_of
from fleetmeter.schema.keys import family_field
from fleetmeter.schema.modes import MERGED_MODES, OWN_MODE
from fleetmeter.schema.rows import Row, is_writer, rows_of
from fleetmeter.writer.compaction import AT_ONCE, Compactable, compact
from fleetmeter.writer.messages import Ended, Fold, Leftovers

EVERY = 60.0
"""Seconds between two sweeps of a namespace."""

FAREWELL = 60.0
"""Seconds that every scrape reads the row of a writer which said goodbye, if it left no series of its own.

Then the row is folded: its number moves to `retired` until the grace is over. So scrapes stay small even if thousands
of processes an hour live for a second each.
"""

GOODBYE_GRACE = 900.0
"""Seconds that the number of a writer which said goodbye is kept, so that no late copy of its calls counts again.

Gauges of the mode `all`, which have a series for each process, are shown for the same time.
"""

SILENCE = 86_400.0
"""Seconds without a sign of life (a day), after which a writer is folded: its number moves to `retired`."""

RETIRED_LIFE = 90 * 86_400.0
"""Seconds that a folded writer's number is kept (90 days), in case the writer wakes up again."""

REMOVED_LIFE = 86_400.0
"""Seconds that a removal note is kept, for exporters that have served the removed numbers."""

LIVES = (FAREWELL, GOODBYE_GRACE, SILENCE, RETIRED_LIFE, REMOVED_LIFE)
"""In the order in which lua/fold.lua wants them."""

WRITERS_PER_CALL = 200
"""Writers that one call puts away, at most: while a script runs, the store does nothing else."""


class Attic(Compactable, Protocol):
    """What a sweep asks of a store; see `Store`."""

    def leftovers(self) -> Leftovers:
        """The hashes that show what is due."""

    def gauge_fields(self) -> list[bytes]:
        """The fields of all gauges' values."""

    def swept_us(self) -> int:
        """When the namespace was swept last, by the store's clock."""

    def fold(self, call: Fold) -> None:
        """Put away what is due of this."""


class Housekeeper:
    """Sweeps one namespace, at most every `EVERY` seconds, and only if no other replica has done so meanwhile."""

    def __init__(self, store: Attic, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._clock = clock
        self._next = clock() + random.uniform(0.2, 1.0) * EVERY  # noqa: S311  spreads the replicas, no secret

    def look(self, epoch: str, store_now_us: int) -> None:
        """Sweep if it is time. Raises `StoreError`."""
        if self._clock() < self._next:
            return
        self._next = self._clock() + random.uniform(0.8, 1.2) * EVERY  # noqa: S311
        self.look_once(epoch, store_now_us, AT_ONCE)

    def look_once(self, epoch: str, store_now_us: int, layouts: int = 1) -> None:
        """Sweep if nobody has for a while, and compact so many layouts. Raises `StoreError`.

        Ending processes call it: perhaps none lives longer.
        """
        if store_now_us - self._store.swept_us() >= EVERY * 1e6:
            self._store.fold(Fold(epoch, LIVES))  # which notes the sweep: others that end now need not make one
            self.sweep(epoch, store_now_us)
            compact(self._store, epoch, layouts)

    def sweep(self, epoch: str, store_now_us: int) -> None:
        """Put away what is due now."""
        left = self._store.leftovers()
        writers = due_writers(left.writers, store_now_us)
        gauges: dict[str, list[tuple[str, str]]] = {}
        fields = self._store.gauge_fields()
        if writers or _orphans(fields, left.writers):
            gauges = _gauges(fields, _modes(self._store.definitions()), left.writers, writers)
        names = list(dict.fromkeys([*writers, *gauges]))
        retired = _older(left.retired, store_now_us - int(RETIRED_LIFE * 1e6), word=3)
        removed = _older(left.removed, store_now_us - int(REMOVED_LIFE * 1e6))
        every = [(name, tuple(gauges.get(name, ()))) for name in names]
        for part in _parts(every, WRITERS_PER_CALL):
            self._store.fold(Fold(epoch, LIVES, writers=tuple(part)))
        self._store.fold(Fold(epoch, LIVES, retired=tuple(retired), removed=tuple(removed)))  # also notes the sweep


def due_writers(rows: Mapping[bytes, bytes], now_us: int) -> list[str]:
    """The writers that said goodbye a while ago, or were silent for long. A row that cannot be read stays."""
    due = []
    for raw, text in rows_of(rows).items():
        try:
            name = raw.decode()
            row = Row.parse(name, text.decode())
        except (StateError, UnicodeDecodeError):
            continue
        silent_for = (now_us - row.heartbeat_us) / 1e6
        if silent_for > (FAREWELL if row.said_goodbye else SILENCE):
            due.append(name)
    return due


def _orphans(fields: list[bytes], rows: Mapping[bytes, bytes]) -> bool:
    return any(writer not in rows and is_writer(writer) for writer in {f.partition(b" ")[0] for f in fields})


def _gauges(
    fields: list[bytes], modes: Mapping[str, str], rows: Mapping[bytes, bytes], due: list[str]
) -> dict[str, list[tuple[str, str]]]:
    """Series and mode of each gauge, by writer that goes or has no row; an empty mode if the value just goes."""
    going = set(due)
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for raw in fields:
        raw_writer, _, raw_series = raw.partition(b" ")
        writer = raw_writer.decode("utf-8", "replace")
        if not is_writer(raw_writer) or not (writer in going or raw_writer not in rows):
            continue
        try:
            series = raw_series.decode()
            name, layout, _values = read_json(series)
            mode = modes.get(family_field(*texts_of([name, layout])), "")
        except (ValueError, TypeError):
            continue  # the scrape says what is wrong with it
        found[writer].append((series, mode if mode in MERGED_MODES or mode == OWN_MODE else ""))
    return found


def _modes(definitions: Mapping[bytes, bytes]) -> dict[str, str]:
    modes = {}
    for raw, text in definitions.items():
        try:
            modes[raw.decode()] = StoredDefinition.parse(raw.decode(), text.decode()).definition.mode
        except (StateError, UnicodeDecodeError):
            continue  # the scrape says what is wrong with it
    return modes


def _older(records: Mapping[bytes, bytes], limit_us: int, *, word: int = 0) -> list[str]:
    """The fields whose time, which is a word of the value, is before a limit."""
    old = []
    for raw, text in records.items():
        time = dict(enumerate(text.split(b" "))).get(word, b"")
        if is_writer(raw) and time.isdigit() and int(time) < limit_us:
            old.append(raw.decode("utf-8", "replace"))
    return old


def _parts(items: list[Ended], size: int) -> Iterator[list[Ended]]:
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part
