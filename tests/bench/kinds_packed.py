"""The kinds that are added up, as packed numbers."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import cast

from bench.kinds_state import State
from fleetmeter.schema.definition import Definition, read_json
from fleetmeter.schema.keys import Keys
from fleetmeter.schema.scale import Scale
from support.blocks import Blocks


class PackedState(State):
    """A namespace of the same parts, all of which must be added up."""

    def __post_init__(self) -> None:
        self.parts = [
            replace(part, definition=_packed(part.definition), newest=part.newest and _packed(part.newest))
            for part in self.parts
        ]
        keys = Keys(self.namespace)
        self._layouts = {keys.family(part.definition.field): (part, Blocks(part.definition)) for part in self.parts}
        super().__post_init__()

    def change(self, share: float) -> None:
        """Add to that share of the numbers."""
        for key, fields in self.stored.items():
            self._draw(
                key, {name: fields[name] for name in self._dice.sample(sorted(fields), round(share * len(fields)))}
            )
            blocks = self._layouts[key][1]
            self._client.set(self.keys.packed(blocks.definition.field)[0], blocks.raw())
        self.beat()

    def forget(self) -> None:
        """Delete all of it."""
        super().forget()
        self._client.delete(
            *(key for _, blocks in self._layouts.values() for key in self.keys.packed(blocks.definition.field))
        )

    def _write(self, series: Mapping[str, dict[str, Callable[[random.Random], str]]]) -> None:
        for key, fields in series.items():
            self.stored.setdefault(key, {}).update(fields)
            self._draw(key, fields)
            part, blocks = self._layouts[key]
            stored = self._client.hget(self.keys.families, part.definition.field)
            blocks.store(self._client, self.keys)
            self._client.hset(self.keys.families, part.definition.field, stored)

    def _draw(self, key: str, fields: Mapping[str, Callable[[random.Random], str]]) -> None:
        part, blocks = self._layouts[key]
        definition = part.definition
        amounts: dict[tuple[str, ...], dict[str, int]] = {}
        for name, draw in fields.items():
            texts = cast("list[str]", read_json(name.encode()))
            kind = texts.pop() if definition.has_parts else ""
            number = Decimal(draw(self._dice))
            counted = kind not in ("", "sum") or definition.scale != Scale.FEMTO
            amounts.setdefault(tuple(texts), {})[kind] = int(number if counted else number.scaleb(15))
        for values, some in amounts.items():
            blocks.add(values, some)


def _packed(definition: Definition) -> Definition:
    return Definition.of(
        definition.name, definition.type, definition.help, definition.unit, definition.labels, definition.bounds, "",
        packed=True,
    )  # fmt: skip
