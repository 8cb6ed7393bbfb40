"""A store's keys: the commands that fleetmeter's scripts and reader use, with Redis' replies and error texts.

A test holds it equal to a real server. Strings of slots are in `bitfield`.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

from simulator.bitfield import LARGEST, CommandError, changed, stretched, whole

Reply = None | int | str | bytes | Sequence[int | str | None]
Value = dict[str, str] | bytes | tuple[str, ...]
"""A hash, a string or a list. The latter two are never changed, but replaced."""

Frozen = Mapping[str, Value]
"""A state as it was at one instant; never changed."""

OOM = "OOM command not allowed when used memory > 'maxmemory'."
WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
WRITES = frozenset(
    ("DEL", "HDEL", "HSET", "HSETNX", "HINCRBY", "HINCRBYFLOAT", "BITFIELD", "SETRANGE", "RPUSH"),
)


class Hashes:
    """The state of one store. `largest` bounds HINCRBY; a `full` store refuses every write."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._data: dict[str, Value] = {}
        self._owned: set[str] = set()
        self._flat: dict[str, tuple[Value, list[bytes]]] = {}
        self._largest = largest
        self.now_us = 0
        self.full = False
        self.changed = False
        """Whether anything was written since this was last set to False."""
        self.derived: dict[str, Any] = {}
        """What was worked out from the state, until something is written."""

    def freeze(self) -> Frozen:
        """The state now; later writes copy what they change."""
        self._owned.clear()
        return dict(self._data)

    def thaw(self, state: Frozen) -> None:
        """Be in an earlier state."""
        self._data = dict(state)
        self._owned.clear()
        self.derived.clear()

    def hash(self, key: str) -> dict[str, str]:
        """The fields of a key, to be read only."""
        found = self._data.get(key, _NO_FIELDS)
        if not isinstance(found, dict):
            raise CommandError(WRONGTYPE)
        return found

    def flat(self, key: str) -> list[bytes]:
        """The fields of a key, each with its text behind it, as HGETALL sends them."""
        found = self.hash(key)
        known, texts = self._flat.get(key, (None, []))
        if known is not found or key in self._owned:
            texts = [text.encode() for pair in found.items() for text in pair]
            self._flat[key] = found, texts
        return texts

    def string(self, key: str) -> bytes:
        """The bytes of a key."""
        found = self._data.get(key, b"")
        if not isinstance(found, bytes):
            raise CommandError(WRONGTYPE)
        return found

    def items(self, key: str) -> tuple[str, ...]:
        """The items of a key."""
        found = self._data.get(key, ())
        if not isinstance(found, tuple):
            raise CommandError(WRONGTYPE)
        return found

    def value(self, key: str) -> Value | None:
        """What a key has, whatever it is; the same object for as long as it does not change."""
        return self._data.get(key)

    def names(self) -> list[str]:
        """The keys there are."""
        return list(self._data)

    def execute(self, name: str, *arguments: object) -> Reply:
        """The reply to a command; raises `CommandError`."""
        command = _COMMANDS.get(name)
        if command is None:
            raise CommandError(f"ERR unknown command '{name}'")
        if name in WRITES:
            if self.full and not self.changed:
                raise CommandError(OOM)
            self.changed = True
            self.derived.clear()
        return command(self, *map(str, arguments))

    def _writable(self, key: str) -> dict[str, str]:
        values = self.hash(key)
        if key not in self._owned:
            self._data[key] = values = dict(values)
            self._owned.add(key)
        return values

    def _time(self) -> Reply:
        return [str(self.now_us // 10**6), str(self.now_us % 10**6)]

    def _hget(self, key: str, field: str) -> Reply:
        return self.hash(key).get(field)

    def _hgetall(self, key: str) -> Reply:
        return [text for pair in self.hash(key).items() for text in pair]

    def _hkeys(self, key: str) -> Reply:
        return list(self.hash(key))

    def _hlen(self, key: str) -> Reply:
        return len(self.hash(key))

    def _hexists(self, key: str, field: str) -> Reply:
        return int(field in self.hash(key))

    def _exists(self, *keys: str) -> Reply:
        return sum(key in self._data for key in keys)

    def _hmget(self, key: str, *fields: str) -> Reply:
        return [self.hash(key).get(field) for field in fields]

    def _zcount(self, key: str, low: str, high: str) -> Reply:
        return 0  # no scripts of the simulator keep sorted sets

    def _hset(self, key: str, *pairs: str) -> Reply:
        if not pairs or len(pairs) % 2:
            raise CommandError("ERR wrong number of arguments for 'hset' command")
        values = self._writable(key)
        before = len(values)
        values.update(zip(pairs[::2], pairs[1::2], strict=True))
        return len(values) - before

    def _hsetnx(self, key: str, field: str, value: str) -> Reply:
        values = self._writable(key)
        fresh = field not in values
        values.setdefault(field, value)
        return int(fresh)

    def _hdel(self, key: str, *fields: str) -> Reply:
        if not self.hash(key):
            return 0
        values = self._writable(key)
        gone = sum(values.pop(field, None) is not None for field in fields)
        if not values:
            del self._data[key]
            self._owned.discard(key)
        return gone

    def _del(self, *keys: str) -> Reply:
        gone = sum(self._data.pop(key, None) is not None for key in keys)
        self._owned.difference_update(keys)
        return gone

    def _hincrby(self, key: str, field: str, amount: str) -> Reply:
        change = self._whole(amount, "value is not an integer or out of range")
        total = self._whole(self.hash(key).get(field, "0"), "hash value is not an integer") + change
        if not -self._largest - 1 <= total <= self._largest:
            raise CommandError("ERR increment or decrement would overflow")
        self._writable(key)[field] = str(total)
        return total if -LARGEST - 1 <= total <= LARGEST else str(total)

    def _hincrbyfloat(self, key: str, field: str, amount: str) -> Reply:
        change = _number(amount, "value is not a valid float")
        old = _number(self.hash(key).get(field, "0"), "hash value is not a float")
        with localcontext(prec=100):
            total = format(round(old + change, 17), "f")
        text = total.rstrip("0").rstrip(".") if "." in total else total
        self._writable(key)[field] = text
        return text

    def _whole(self, text: str, problem: str) -> int:
        return whole(text, problem, self._largest)

    def _get(self, key: str) -> Reply:
        return self.string(key) if key in self._data else None

    def _strlen(self, key: str) -> Reply:
        return len(self.string(key))

    def _setrange(self, key: str, offset: str, value: str) -> Reply:
        place = whole(offset, "value is not an integer or out of range")
        data = self.string(key)
        if place < 0:
            raise CommandError("ERR offset is out of range")
        if value:
            data = stretched(data, place)
            self._data[key] = data = data[:place] + value.encode("latin-1") + data[place + len(value) :]
        return len(data)

    def _bitfield(self, key: str, *operations: str) -> Reply:
        data, replies = changed(lambda: self.string(key), operations)
        if data:
            self._data[key] = data
        return replies

    def _rpush(self, key: str, *items: str) -> Reply:
        if not items:
            raise CommandError("ERR wrong number of arguments for 'rpush' command")
        self._data[key] = after = self.items(key) + items
        return len(after)

    def _llen(self, key: str) -> Reply:
        return len(self.items(key))

    def _lindex(self, key: str, index: str) -> Reply:
        items, place = self.items(key), int(index)
        return items[place] if -len(items) <= place < len(items) else None

    def _lrange(self, key: str, first: str, last: str) -> Reply:
        items = self.items(key)
        start, end = (int(text) + (len(items) if int(text) < 0 else 0) for text in (first, last))
        return items[max(0, start) : max(0, end + 1)]


_NO_FIELDS: dict[str, str] = {}


def _number(text: str, problem: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise CommandError(f"ERR {problem}") from None
    if not number.is_finite() or text != text.strip():
        raise CommandError(f"ERR {problem}")
    return number


_COMMANDS: dict[str, Callable[..., Reply]] = {
    "TIME": Hashes._time, "HGET": Hashes._hget, "HGETALL": Hashes._hgetall, "HKEYS": Hashes._hkeys,
    "HLEN": Hashes._hlen, "HEXISTS": Hashes._hexists, "EXISTS": Hashes._exists, "HSET": Hashes._hset,
    "HSETNX": Hashes._hsetnx, "HDEL": Hashes._hdel, "DEL": Hashes._del, "HINCRBY": Hashes._hincrby,
    "HINCRBYFLOAT": Hashes._hincrbyfloat, "HMGET": Hashes._hmget, "ZCOUNT": Hashes._zcount,
    "GET": Hashes._get, "STRLEN": Hashes._strlen, "SETRANGE": Hashes._setrange, "BITFIELD": Hashes._bitfield,
    "RPUSH": Hashes._rpush, "LLEN": Hashes._llen, "LINDEX": Hashes._lindex, "LRANGE": Hashes._lrange,
}  # fmt: skip
