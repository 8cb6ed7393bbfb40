"""What a packed layout holds, read from the store with plain commands. All that its three keys say is compared."""

from itertools import accumulate
from typing import Any

from fleetmeter.schema.definition import Definition, compact_json, read_json
from fleetmeter.schema.keys import Keys
from fleetmeter.schema.packing import SLOT, STATE, Shape, digest_of, joined_value


def decoded(client: Any, keys: Keys, definition: Definition) -> dict[str, int]:
    """Stored units by the field that each number would have in a hash: `["a"]` or `["a","0.5"]`.

    A series' blocks are added up. Everything that the three keys say twice is compared, and must agree.
    """
    numbers, series, names = keys.packed(definition.field)
    data = client.get(numbers) or b""
    slots = [int.from_bytes(data[at : at + SLOT], "big", signed=True) for at in range(0, len(data), SLOT)]
    entries = [raw.decode().split(" ", 1) for raw in client.lrange(names, 0, -1)]
    held = {field.decode(): text.decode() for field, text in client.hgetall(series).items()}
    if not entries:
        assert not slots
        assert not held
        return {}
    digests = list(accumulate((what for _, what in entries), digest_of, initial=""))[1:]
    assert digests == [digest for digest, _ in entries]
    shapes: list[Shape] = []
    blocks: dict[int, tuple[int, str]] = {}
    generation, used = "", 0
    for digest, what in entries:
        kind, _, rest = what.partition(" ")
        if kind in ("g", "d"):
            generation = digest
        if kind == "s":
            shapes.append(Shape.parse(rest))
            assert held.pop(f"@shape {rest}") == str(len(shapes) - 1)
        elif kind == "b":
            slot, shape, name = rest.split(" ", 2)
            assert int(slot) == used, "a block begins where the one before ends"
            used += shapes[int(shape)].slots
            blocks[int(slot)] = (int(shape), name)
        elif kind == "d":
            number, _ = blocks.pop(int(rest))
            assert not any(slots[int(rest) : int(rest) + shapes[number].slots])
    assert held.pop(STATE) == f"{generation} {len(entries)} {used} {len(shapes)} {digests[-1]}"
    assert len(data) == SLOT * used
    stated: dict[str, list[str]] = {}
    for slot, (number, name) in blocks.items():
        stated.setdefault(name, []).append(f"{number}:{slot}")
    assert {name: sorted(text.split(",")) for name, text in held.items()} == {
        name: sorted(texts) for name, texts in stated.items()
    }
    found: dict[str, int] = {}
    for slot, (number, name) in blocks.items():
        shape = shapes[number]
        values = [joined_value(slots[slot : slot + shape.value]), *slots[slot + shape.value : slot + shape.slots]]
        for part, value in zip(shape.parts, values, strict=True):
            field = compact_json([*read_json(name), part]) if part else name
            found[field] = found.get(field, 0) + value
    return found
