"""What the replies to a read mean: definitions, rows, numbers and statements. No I/O is done here."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from fleetmeter.connection.multi_exec import Command
from fleetmeter.errors import StateError
from fleetmeter.reader.gauge_read import GaugeRead
from fleetmeter.reader.hashes import Hash, something_else
from fleetmeter.reader.packed_layout import PackedLayout
from fleetmeter.reader.returned import NO_RETURNS, Returned
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.reader.stated_fields import StatedFields
from fleetmeter.reader.times import microseconds, time_of
from fleetmeter.schema.definition import StoredDefinition
from fleetmeter.schema.keys import EPOCH_FIELD, HORIZON_FIELD, STATE_FORMAT, SWEPT_FIELD, Keys
from fleetmeter.schema.rows import Epoch, Row, is_writer
from fleetmeter.schema.scale import ADDED_TYPES

Extras = dict[str, tuple[GaugeRead, Sequence[Any]]]
"""The registered reads that were sent, each with its replies, by family."""

_READS = "reads"
"""The `key` of a `StateError` about a registered read begins with this."""


class Parser:
    """Makes snapshots of the replies to one reader's reads, one after the other.

    A hash that is as it was in the last read stays the same object, so that what was derived from it still holds.
    `fields` are those of `families` whose numbers stand under a key of their own.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.fields: frozenset[bytes] = frozenset()
        self._definitions: dict[bytes, StoredDefinition | StateError] = {}
        self._texts: dict[bytes, bytes] = {}
        self._hashes: dict[str, Hash] = {}
        self._packed: dict[bytes, PackedLayout] = {}
        self._returned = Hash([], []), NO_RETURNS
        self._stated: StatedFields | None = None

    def see_families(self, reply: Any) -> None:
        """Take in the list of families, and say in `fields` which numbers belong to it. Raises `StateError`."""
        families = _hash(self._keys.families, reply, self._hashes)
        for raw, text in families.items():
            if self._texts.get(raw) != text:
                self._definitions[raw] = _definition(self._keys.families, raw, text)
                self._texts[raw] = text
        for raw in self._texts.keys() - families.keys():
            del self._texts[raw], self._definitions[raw]
        self.fields = frozenset(  # types of a later version are not asked for
            raw
            for raw, stored in self._definitions.items()
            if isinstance(stored, StoredDefinition) and stored.definition.type in ADDED_TYPES
        )

    def commands(self, asked: list[bytes]) -> list[Command]:
        """What reads the numbers of these fields: a command for each, and two if they are packed."""
        before, self._packed = self._packed, {}
        commands: list[Command] = []
        for raw in asked:
            stored, name = self._definitions.get(raw), raw.decode()
            if isinstance(stored, StoredDefinition) and stored.definition.packed:
                self._packed[raw] = before.get(raw) or PackedLayout(stored.definition, self._keys.packed(name))
                commands += self._packed[raw].commands
            else:
                commands.append(("HGETALL", self._keys.family(name)))
        return commands

    def see_names(self, asked: list[bytes], replies: Sequence[Any]) -> bool:
        """Take in the names of packed layouts, given the replies to `commands`.

        False if the store has another list of names than the one that was known: then everything must be read again.
        """
        names = [(self._packed[raw], found[1]) for raw, found in self._by_field(asked, replies) if raw in self._packed]
        anew = [layout for layout, reply in names if not layout.goes_on(reply)]
        return not anew

    def snapshot(self, asked: list[bytes], replies: list[Any], extras: Extras, *, returns: bool) -> Snapshot:
        """What a read found, without the writers' names; `asked` are the fields whose numbers were asked for.

        `returns` says whether the snapshot shall say when series came back. Raises `StateError`.
        """
        keys = self._keys
        _, writers, gauges, exemplars, removed, (seconds, micros), *numbers = replies
        raw_returned = numbers.pop() if len(numbers) > len(asked) + len(self._packed) else []
        before, self._hashes = self._hashes, {}
        epoch, rows = _epoch_and_rows(keys.writers, _hash(keys.writers, writers, before))
        problems = [stored for stored in self._definitions.values() if isinstance(stored, StateError)]

        def readable(key: str, reply: Any) -> Hash:
            try:
                self._hashes[key] = _hash(key, reply, before)
            except StateError as error:
                problems.append(error)
                return Hash([], [])
            return self._hashes[key]

        def unpacked(layout: PackedLayout, reply: Any) -> Mapping[bytes, bytes]:
            try:
                return layout.numbers(reply)
            except StateError as error:
                problems.append(error)
                return Hash([], [])

        stated = readable(keys.gauges, gauges)
        self._stated = StatedFields.of(stated.fields, self._stated)
        came = self._parsed_returns(readable(keys.returned, raw_returned))
        failed = {
            name: error for name, (_, replies) in extras.items() for error in replies if isinstance(error, Exception)
        }
        problems += [something_else(f"{_READS}[{name}]", error) for name, error in failed.items()]
        return Snapshot(
            taken_us=microseconds(seconds, micros),
            epoch=epoch,
            rows=rows,
            definitions=tuple(
                stored for _, stored in sorted(self._definitions.items()) if isinstance(stored, StoredDefinition)
            ),
            numbers={
                name.decode(): unpacked(self._packed[name], found[0])
                if name in self._packed
                else readable(keys.family(name.decode()), found[0])
                for name, found in self._by_field(asked, numbers)
                if name in self.fields  # without its definition nobody knows what the numbers mean
            },
            gauges=stated,
            stated=self._stated,
            replicas={},
            extras={name: extra for name, extra in extras.items() if name not in failed},
            exemplars=readable(keys.exemplars, exemplars),
            removed=readable(keys.removed, removed),
            returned=came if returns else NO_RETURNS,
            came=came,
            problems=tuple(problems),
        )

    def _by_field(self, asked: list[bytes], replies: Sequence[Any]) -> Iterator[tuple[bytes, list[Any]]]:
        """Each field with the replies to its own commands."""
        left = iter(replies)
        return ((raw, list(islice(left, 1 + (raw in self._packed)))) for raw in asked)

    def _parsed_returns(self, raw: Hash) -> Returned:
        """The content of a hash. Mostly that is what the last read found, and the same object."""
        if raw is not self._returned[0]:
            self._returned = raw, Returned(raw)
        return self._returned[1]


def parse_glance(keys: Keys, families: Any, writers: Any, time: Any) -> Snapshot:
    """A snapshot of the epoch and the rows only. Raises `StateError`."""
    _hash(keys.families, families, {})
    stored = _hash(keys.writers, writers, {})
    epoch, rows = _epoch_and_rows(keys.writers, stored)
    swept_us = time_of(stored.get(SWEPT_FIELD.encode(), b"")) or 0
    return Snapshot(microseconds(*time), epoch, rows, (), {}, {}, {}, None, swept_us=swept_us)


def parse_retired(writers: Sequence[str], reply: Sequence[bytes | None]) -> tuple[int, dict[str, Row]]:
    """The horizon, and the rows of the writers among these that were folded. Raises `StateError`."""
    horizon, *texts = reply
    found = {writer: text for writer, text in zip(writers, texts, strict=True) if text is not None}
    rows = {writer: Row.parse_retired(writer, _text(f"retired[{writer}]", text)) for writer, text in found.items()}
    return _horizon(horizon), rows


def is_of_read(problem: StateError) -> bool:
    """Whether a problem of a snapshot is that a registered read failed."""
    return problem.key.startswith(f"{_READS}[")


def _horizon(text: bytes | None) -> int:
    """The newest heartbeat among rows that were dropped on purpose; 0 if none was dropped."""
    if text is None:
        return 0
    try:
        return int(text)
    except ValueError as error:
        raise StateError(f"retired[{HORIZON_FIELD}]", f"{text!r} is no time") from error


def _is_error(reply: Any) -> bool:
    return isinstance(reply, Exception)


def _hash(key: str, reply: Any, before: Mapping[str, Hash]) -> Hash:
    """A hash as it was read; if nothing changed, the object of the last read. Raises `StateError` for another type."""
    if isinstance(reply, Exception):
        raise something_else(key, reply)
    return Hash.flat(reply, before.get(key))


def _definition(key: str, raw: bytes, text: bytes) -> StoredDefinition | StateError:
    """A definition as it was read, or the reason why it cannot be read."""
    try:
        name = _text(key, raw)
        return StoredDefinition.parse(name, _text(f"families[{name}]", text))
    except StateError as error:
        return StateError(error.key, error.problem, "bad_definition")


def _epoch_and_rows(key: str, writers: Hash) -> tuple[Epoch | None, dict[str, Row]]:
    epoch = None
    rows = {}
    for raw_writer, raw_text in zip(writers.fields, writers.texts, strict=True):
        if not is_writer(raw_writer) and raw_writer != EPOCH_FIELD.encode():
            continue  # a later version may keep more fields with `@`, which are no writers
        writer = _text(key, raw_writer)
        text = raw_text.decode() if raw_text.isascii() else _text(f"writers[{writer}]", raw_text)
        if writer != EPOCH_FIELD:
            rows[writer] = Row.parse(writer, text)
        else:
            epoch = Epoch.parse(text)
            if epoch.format != STATE_FORMAT:
                problem = f"state format {epoch.format}; this version reads {STATE_FORMAT}"
                raise StateError(key, problem, "newer_format")
    return epoch, rows


def _text(place: str, raw: bytes) -> str:
    """The text at a place in the store. Raises `StateError` if it is not UTF-8: fleetmeter writes nothing else."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise StateError(place, f"{raw!r} is not UTF-8; a fleetmeter writer stores nothing else") from error
