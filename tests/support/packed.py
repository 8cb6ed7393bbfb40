"""What a packed layout holds, read from the store with plain commands. All that its three keys say is compared."""

from collections.abc import Callable
from itertools import accumulate
from typing import Any

from fleetmeter.schema.definition import Definition, compact_json, read_json
from fleetmeter.schema.keys import Keys
from fleetmeter.schema.packing import SLOT, STATE, Shape, digest_of, index_entry, joined_value, room_for, shape_of
from fleetmeter.values.delta import Delta
from fleetmeter.writer.messages import Answer, Apply, Hello
from fleetmeter.writer.store import Store
from support.names import series_in
from support.store import StoreAddress


def keys_of(keys: Keys, definition: Definition) -> tuple[str, ...]:
    """The keys that hold the numbers of a layout, the numbers themselves first."""
    return keys.packed(definition.field) if definition.packed else (keys.family(definition.field),)


def decoded(client: Any, keys: Keys, definition: Definition) -> dict[str, int]:
    """Stored units by the field that each number would have in a hash: `["a"]` or `["a","0.5"]`.

    A series' blocks are added up. Everything that the three keys say twice is compared, and must agree.
    """
    numbers, series, names = keys.packed(definition.field)
    data = client.get(numbers) or b""
    slots = [int.from_bytes(data[at : at + SLOT], "big", signed=True) for at in range(0, len(data), SLOT)]
    entries = [raw.decode(errors="surrogateescape").split(" ", 1) for raw in client.lrange(names, 0, -1)]
    held = {field.decode(): text.decode() for field, text in client.hgetall(series).items()}
    if not entries:
        assert not slots
        assert not held
        return {}
    digests = list(accumulate((what for _, what in entries), digest_of, initial=""))[1:]
    assert digests == [digest for digest, _ in entries]
    shapes: list[Shape] = []
    blocks: dict[int, tuple[int, str]] = {}
    generation, used, dead = "", 0, 0
    for digest, what in entries:
        kind, _, rest = what.partition(" ")
        if kind in ("g", "d"):
            generation = digest
        if kind == "s":
            shapes.append(Shape.parse(rest))
            assert held.pop(f"@shape {rest}") == str(len(shapes) - 1)
        elif kind == "c":
            slot, shape, lines = rest.split(" ", 2)
            assert int(slot) == used, "a block begins where the one before ends"
            for one in series_in(lines.encode(errors="surrogateescape")):
                blocks[used] = (int(shape), one.decode())
                used += shapes[int(shape)].slots
        elif kind == "d":
            number, _ = blocks.pop(int(rest))
            assert not any(slots[int(rest) : int(rest) + shapes[number].slots])
            dead += shapes[number].slots
    living = {name for _, name in blocks.values()}
    ends = f"{len(entries)} {digests[-1]} {used} {len(shapes)} {len(living)} {dead}"
    assert held.pop(STATE) == f"{generation} {ends}"
    assert len(data) == SLOT * room_for(used)
    assert not any(slots[used:])
    stated: dict[str, list[str]] = {}
    for slot, (number, name) in blocks.items():
        field, entry = index_entry(name, number, slot)
        stated.setdefault(field, []).append(entry)
    assert {field: sorted(text.split(";")) for field, text in held.items()} == {
        field: sorted("".join(found).split(";")) for field, found in stated.items()
    }
    found: dict[str, int] = {}
    for slot, (number, name) in blocks.items():
        shape = shapes[number]
        values = [joined_value(slots[slot : slot + shape.value]), *slots[slot + shape.value : slot + shape.slots]]
        for part, value in zip(shape.parts, values, strict=True):
            field = compact_json([*read_json(name), part]) if part else name
            found[field] = found.get(field, 0) + value
    return found


class Hand:
    """A writer whose batches are written by hand: what each says, and which of the store's answers it got.

    It keeps its place by itself, as if every batch was acknowledged.
    """

    def __init__(self, address: StoreAddress, name: str = "w", max_series: int = 10_000) -> None:
        self.store = Store(address.url, address.keys, max_series)
        self.name = name
        self.epoch = self.store.hello(Hello(name, "E"), {}).epoch
        self.row = 0

    def call(self, delta: Delta, *, prev: int | None = None, token: str = "") -> Apply:
        """The call that follows the row, or `prev`."""
        at = self.row if prev is None else prev
        return Apply(self.epoch, self.name, at, at + 1, 0, delta, False, str(at) if at else "", token or str(at + 1))

    def send(self, delta: Delta, **place: Any) -> Answer:
        """Send a batch as a writer does: by slot if it knows them."""
        answer = self.store.apply(self.call(delta, **place))
        if answer.status == "applied":
            self.row = answer.row
        return answer

    def add(self, definition: Definition, numbers: dict[tuple[str, ...], int], **more: Any) -> Answer:
        """Add stored units: by label values, and the part behind them if a series has several."""
        return self.send(adds_of(definition, numbers, **more))

    def known(self, definition: Definition) -> Any:
        """What it knows of a layout; None for nothing."""
        return self.store._directory.of(self.name).get(definition.field)

    def close(self) -> None:
        """Close the connection."""
        self.store.close()


NewHand = Callable[..., Hand]
"""Makes writers of one namespace, by their names."""


def generation_of(hand: Hand, definition: Definition) -> str:
    """The generation of a layout as a writer knows it."""
    generation: str = hand.known(definition).state.split(" ")[0]
    return generation


def adds_of(definition: Definition, numbers: dict[tuple[str, ...], int], **more: Any) -> Delta:
    """A batch that adds to one layout."""
    return Delta(
        adds={definition.field: {compact_json(field): amount for field, amount in numbers.items()}},
        has_parts=frozenset((definition.field,) if definition.has_parts else ()),
        shapes={definition.field: (shape_of(definition, definition.bounds),)} if definition.packed else {},
        **more,
    )
