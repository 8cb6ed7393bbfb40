"""BITFIELD as Redis does it, for slots of 64 bits: what packed numbers are changed by."""

from collections.abc import Callable, Sequence

LARGEST = 2**63 - 1
SLOT = 8


class CommandError(Exception):
    """What the store answers where it will not; the text is Redis'."""


def whole(text: str, problem: str, largest: int = LARGEST) -> int:
    """A number as Redis reads one: without a plus, a leading zero or a space. Raises `CommandError`."""
    digits = text[1:] if text.startswith("-") else text
    plain = digits.isascii() and digits.isdigit() and (digits == "0" or digits[0] != "0") and text != "-0"
    if not plain or not -largest - 1 <= int(text) <= largest:
        raise CommandError(f"ERR {problem}")
    return int(text)


def stretched(data: bytes, length: int) -> bytes:
    """The bytes, and zeroes behind them up to a length."""
    return data + bytes(length - len(data)) if len(data) < length else data


def changed(read: Callable[[], bytes], operations: Sequence[str]) -> tuple[bytes, list[int | None]]:
    """What a string is after some operations, and their replies: None for one that would overflow, and did nothing.

    The string is read after all of them were understood. Raises `CommandError`.
    """
    understood = _understood(operations)
    data = read()
    slots = max((slot + 1 for name, slot, _, _ in understood if name != "GET"), default=0)
    grown = bytearray(stretched(data, slots * SLOT))
    replies: list[int | None] = []
    for name, slot, number, fails in understood:
        place = slice(slot * SLOT, (slot + 1) * SLOT)
        before = int.from_bytes(bytes(grown[place]).ljust(SLOT, b"\0"), "big", signed=True)
        after = before + number if name == "INCRBY" else number
        if name == "GET":
            replies.append(before)
        elif fails and not -LARGEST - 1 <= after <= LARGEST:
            replies.append(None)
        else:
            after = (after + LARGEST + 1) % 2**64 - LARGEST - 1
            grown[place] = after.to_bytes(SLOT, "big", signed=True)
            replies.append(before if name == "SET" else after)
    return bytes(grown), replies


def _understood(operations: Sequence[str]) -> list[tuple[str, int, int, bool]]:
    """Each operation as its name, slot, number, and whether it fails if it overflows."""
    found, fails, at = [], False, 0
    while at < len(operations):
        name = operations[at].upper()
        if name == "OVERFLOW" and at + 1 < len(operations):
            fails = operations[at + 1].upper() == "FAIL"
            at += 2
            continue
        width = 3 if name == "GET" else 4
        items = operations[at + 1 : at + width]
        if name not in ("GET", "SET", "INCRBY") or len(items) < width - 1 or items[0] != "i64" or items[1][:1] != "#":
            raise CommandError("ERR syntax error")
        slot = whole(items[1][1:], "bit offset is not an integer or out of range", 2**32 // 64)
        if slot < 0:
            raise CommandError("ERR bit offset is not an integer or out of range")
        number = whole(items[2], "value is not an integer or out of range") if name != "GET" else 0
        found.append((name, slot, number, fails))
        at += width
    return found
