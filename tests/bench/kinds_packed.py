"""The kinds of numbers, packed if they are added up."""

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
    """A namespace of the same parts; what is added up is packed."""

    def __post_init__(self) -> None:
        self.parts = [
            part
            if part.stated
            else replace(part, definition=_packed(part.definition), newest=part.newest and _packed(part.newest))
            for part in self.parts
        ]
        keys = Keys(self.namespace)
        self._layouts = {
            keys.family(part.definition.field): (part, Blocks(part.definition))
            for part in self.parts
            if not part.stated
        }
        super().__post_init__()

    def change(self, share: float) -> None:
        """Give that share of the numbers another value."""
        super().change(share)
        for _, blocks in self._layouts.values():
            self._client.set(self.keys.packed(blocks.definition.field)[0], blocks.raw())

    def _change(self, key: str, fields: Mapping[str, Callable[[random.Random], str]]) -> None:
        if key in self._layouts:
            self._draw(key, fields)
        else:
            super()._change(key, fields)

    def forget(self) -> None:
        """Delete all of it."""
        super().forget()
        for _, blocks in self._layouts.values():
            self._client.delete(*self.keys.packed(blocks.definition.field))

    def _write(self, series: Mapping[str, dict[str, Callable[[random.Random], str]]]) -> None:
        for key, fields in series.items():
            if key not in self._layouts:
                super()._write({key: fields})
                continue
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
