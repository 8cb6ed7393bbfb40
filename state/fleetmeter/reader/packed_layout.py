"""One packed layout from read to read: what to ask the store for, and what the replies mean."""

from typing import Any

from fleetmeter.connection.multi_exec import Command
from fleetmeter.errors import StateError
from fleetmeter.reader.hashes import Hash, LikeAHash, something_else
from fleetmeter.reader.names import Names
from fleetmeter.reader.packed import PackedNumbers
from fleetmeter.reader.places import Places
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.packing import SLOT, room_for


class PackedLayout:
    """Follows one packed layout. `keys` are those of `Keys.packed`."""

    def __init__(self, layout: Definition, keys: tuple[str, str, str]) -> None:
        self._layout = layout
        self._numbers_key, _, self._names_key = keys
        self._names = Names(self._names_key, layout)
        self._places = Places(self._names)
        self._shown: PackedNumbers | None = None
        self._problem: StateError | None = None

    @property
    def commands(self) -> list[Command]:
        """What is to be read: two commands."""
        return [("GET", self._numbers_key), ("LRANGE", self._names_key, self._names.first, -1)]

    def goes_on(self, names: Any) -> bool:
        """Take in the reply to the second command. False if the layout must be asked for again, from the beginning."""
        self._problem = None
        try:
            if isinstance(names, Exception):
                raise something_else(self._names_key, names)
            if not self._names.goes_on(names):
                self._forget()
                return False
            if self._names.learn(names):
                self._places = Places(self._names, self._places)
        except (StateError, ValueError) as error:
            self._forget()
            self._problem = (
                error if isinstance(error, StateError) else StateError(self._names_key, str(error), "bad_value")
            )
        return True

    def numbers(self, reply: Any) -> LikeAHash | Hash:
        """All numbers, given the reply to the first command and after `goes_on`; the last object if nothing changed.

        There are none if one of the keys is missing, or does not fit the other: part of the layout was evicted. Raises
        `StateError` for what is no packed layout.
        """
        if isinstance(reply, Exception):
            raise something_else(self._numbers_key, reply)
        if self._problem is not None:
            raise self._problem
        raw: bytes = reply or b""
        if len(raw) != SLOT * room_for(self._names.slots):
            return Hash([], [])
        raw = raw[: SLOT * self._names.slots]
        found = self._shown
        if found is None or found.places is not self._places or found.raw != raw:
            found = self._shown = PackedNumbers(self._places, raw)
        return found

    def _forget(self) -> None:
        self._names = Names(self._names_key, self._layout)
        self._places = Places(self._names)
        self._shown = None
