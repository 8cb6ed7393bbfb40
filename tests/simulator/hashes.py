"""A store's hashes: the commands that fleetmeter's scripts and reader use, with Redis' replies and error texts.

A test holds it equal to a real server.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation, localcontext

Reply = None | int | str | list[str] | list[str | None]
Frozen = Mapping[str, dict[str, str]]
"""A state as it was at one instant; never changed."""

LARGEST = 2**63 - 1
OOM = "OOM command not allowed when used memory > 'maxmemory'."
WRITES = frozenset(("DEL", "HDEL", "HSET", "HSETNX", "HINCRBY", "HINCRBYFLOAT"))


class CommandError(Exception):
    """What the store answers where it will not; the text is Redis'."""


class Hashes:
    """The state of one store. `largest` bounds HINCRBY; a `full` store refuses every write."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._data: dict[str, dict[str, str]] = {}
        self._owned: set[str] = set()
        self._largest = largest
        self.now_us = 0
        self.full = False
        self.changed = False
        """Whether anything was written since this was last set to False."""

    def freeze(self) -> Frozen:
        """The state now; later writes copy what they change."""
        self._owned.clear()
        return dict(self._data)

    def thaw(self, state: Frozen) -> None:
        """Be in an earlier state."""
        self._data = dict(state)
        self._owned.clear()

    def hash(self, key: str) -> dict[str, str]:
        """The fields of a key, to be read only."""
        return self._data.get(key) or {}

    def names(self) -> list[str]:
        """The keys there are."""
        return list(self._data)

    def execute(self, name: str, *arguments: object) -> Reply:
        """The reply to a command; raises `CommandError`."""
        command = _COMMANDS.get(name.upper())
        if command is None:
            raise CommandError(f"ERR unknown command '{name}'")
        if name.upper() in WRITES:
            if self.full and not self.changed:
                raise CommandError(OOM)
            self.changed = True
        return command(self, *[str(argument) for argument in arguments])

    def _writable(self, key: str) -> dict[str, str]:
        if key not in self._owned:
            self._data[key] = dict(self._data.get(key, ()))
            self._owned.add(key)
        return self._data[key]

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

    def _exists(self, key: str) -> Reply:
        return int(key in self._data)

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
        if key not in self._data:
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
        digits = text[1:] if text.startswith("-") else text
        plain = digits.isascii() and digits.isdigit() and (digits == "0" or digits[0] != "0") and text != "-0"
        if not plain or not -self._largest - 1 <= int(text) <= self._largest:
            raise CommandError(f"ERR {problem}")
        return int(text)


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
}  # fmt: skip
