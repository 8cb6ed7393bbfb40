"""The `writers` hash: the epoch of the namespace and one row per living writer."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from fleetmeter.errors import StateError

HEARTBEAT = 5.0
"""Seconds between two signs of life of a writer that has nothing to hand over."""

ALIVE_US = int(3 * HEARTBEAT * 1e6)
"""Microseconds. A writer whose heartbeat is older is not alive: it has missed three."""

PACKS = "packed"
"""What a row has in the place of `alive` if its writer packs its numbers. To older versions it means the same."""

TOKEN_BITS = 32
"""Bits of a batch's token: two copies of one process draw the same one once in four billion times."""

_LIMIT = 2**63
"""Numbers and times of a row are below this. A float may not show larger ones exactly."""


def random_id() -> str:
    """An id that no other process life has: 64 random bits as 16 hexadecimal digits."""
    return secrets.token_hex(8)


def random_token() -> int:
    """32 bits of the system's own randomness. The copy of a process draws other ones.

    A generator in memory (`random`) would not do: a copy continues it with the same numbers.
    """
    return secrets.randbits(TOKEN_BITS)


def token_text(token: int) -> str:
    """A token as a row has it. It begins with a letter, so that no version mistakes it for a time."""
    return f"t{token:08x}"


@dataclass(frozen=True)
class Epoch:
    """Identity of a namespace's life: a new one means that the counts started anew.

    `deliberate` is true if an operator began it.
    """

    id: str
    birth_us: int
    format: int
    deliberate: bool = False

    @classmethod
    def parse(cls, text: str) -> "Epoch":
        """Read `<id> <birth µs> <format>`, perhaps `reset`, whatever words follow; raises `StateError`."""
        try:
            identity, birth, number, *more = text.split(" ")
            return cls(identity, _whole(birth), _whole(number), "reset" in more)
        except ValueError as error:
            raise StateError("writers[@epoch]", f"{text!r} is no epoch") from error


class Row(NamedTuple):
    """How far a writer is: last applied number, batches given up, last heartbeat (store clock, µs).

    Two copies of a process may both send a batch 7 under one id. `token` says which of the two the row means. It is
    empty for a row at 0, and for one that a version without tokens wrote. `packs` says that the writer lives and packs
    its numbers; the row of one that writes fields, or has said nothing yet, has `alive` in that place.
    """

    applied: int
    given_up: int
    heartbeat_us: int
    said_goodbye: bool
    token: str = ""
    packs: bool = False

    @classmethod
    def parse(cls, writer: str, text: str) -> "Row":
        """Read `<applied> <given up> <heartbeat µs> <alive, packed or goodbye>`, perhaps a token; the rest is ignored.

        Raises `StateError`.
        """
        try:
            applied, given_up, heartbeat, state, *more = text.split(" ")
            row = cls(
                int(applied), int(given_up), int(heartbeat), state == "goodbye", more[0] if more else "", state == PACKS
            )
            _whole(row.applied | row.given_up | row.heartbeat_us)  # one of them is out of range where this is
        except ValueError as error:
            raise StateError(f"writers[{writer}]", f"{text!r} is no row") from error
        return row

    @classmethod
    def parse_retired(cls, writer: str, text: str) -> "Row":
        """Read `<applied> <given up> <heartbeat µs>`, perhaps when it was folded and a token; raises `StateError`."""
        try:
            applied, given_up, heartbeat, *more = text.split(" ")
            token = more[1] if len(more) > 1 else ""
            return cls(_whole(applied), _whole(given_up), _whole(heartbeat), said_goodbye=False, token=token)
        except ValueError as error:
            raise StateError(f"retired[{writer}]", f"{text!r} is no folded row") from error

    def alive(self, now_us: int) -> bool:
        """Whether the writer counts as living at a time of the store's clock."""
        return not self.said_goodbye and now_us - self.heartbeat_us < ALIVE_US


def is_writer(field: bytes) -> bool:
    """Whether a field of `writers` or `retired`, or the first word of one of `gauges`, is a writer's id.

    Fields that begin with `@` stand beside the writers: the epoch, and whatever a later version may add.
    """
    return not field.startswith(b"@")


def rows_of(fields: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The rows of writers in a hash as it was read, without the fields that begin with `@`."""
    return {writer: row for writer, row in fields.items() if is_writer(writer)}


def _whole(text: str | int) -> int:
    number = int(text)
    if not 0 <= number < _LIMIT:
        raise ValueError(f"{number} is out of range")
    return number
