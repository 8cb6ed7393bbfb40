"""A rehearsal of a writer's whole life, on keys in the namespace that nobody else uses.

Hello, batches, a heartbeat, a goodbye, the fold and, if numbers are packed, a compaction run in one transaction. Its
last command deletes the keys again. So nobody else ever sees them, and none of them stays, even if doctor or the server
ends in between. Only the scripts stay in the server's cache, where every replica puts them, too.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import redis

from fleetmeter.connection.client import followed, translated
from fleetmeter.connection.multi_exec import Command, read_together
from fleetmeter.errors import StoreRefused
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import Keys
from fleetmeter.schema.packing import shape_of
from fleetmeter.schema.rows import random_id
from fleetmeter.settings import PACKED, Settings
from fleetmeter.values.delta import NOTHING, Delta, Removal
from fleetmeter.writer.compaction import Compact
from fleetmeter.writer.messages import Apply, Fold, Hello
from fleetmeter.writer.store import Store, answer_of
from fleetmeter.writer.upkeep import ScriptCall

_AT_ONCE = (-1.0, -1.0, -1.0, -1.0, -1.0)
"""Seconds for which ended writers and their traces are kept; see `Fold`. They are below 0, so that everything is old
enough at once, even though the store's clock may stand still during a transaction."""


def rehearse(client: redis.Redis, settings: Settings) -> str | None:
    """The trouble that was met, in words for people; empty if there was none.

    None if nothing was tried, because this user may not call MULTI and EXEC, which no writer needs. Raises
    `StoreUnreachable`.
    """
    try:
        with translated():
            read_together(client, [])  # tried first: if MULTI is refused, the commands behind it run one by one
    except StoreRefused:
        return None
    writer = random_id()
    keys = Keys(settings.namespace, f"doctor:{writer}")
    store = Store(settings.url, keys, credentials=settings.credentials)  # only builds script calls; never connects
    packed = settings.numbers == PACKED
    definition = Definition.of("doctor", "counter", "Of no meaning.", "", ("label",), (), "", packed=packed)
    steps = dict(_steps(store, writer, definition))
    of_family = keys.packed(definition.field) if packed else (keys.family(definition.field),)
    delete = ("DEL", *keys.fixed, keys.writer(writer), *of_family)
    try:
        with translated():
            for script in {call[0].sha: call[0] for call in steps.values()}.values():
                client.script_load(script.script)
            commands = [*map(_command, steps.values()), delete]
            replies = followed(partial(read_together, client, commands))
    except StoreRefused as error:
        return str(error)
    return next(filter(None, map(_problem, (*steps, "removing it"), replies)), "")


def _steps(store: Store, writer: str, definition: Definition) -> Iterator[tuple[str, ScriptCall]]:
    """The script calls, each with its name for people."""
    field, epoch = definition.field, random_id()
    shapes = {field: (shape_of(definition, ()),)} if definition.packed else {}
    whole, fraction = '["whole"]', '["fraction"]'
    gauge = f'["doctor","{field.rpartition(":")[2]}",["label"]]'
    first = Delta(
        adds={field: {whole: 1, fraction: 1 if definition.packed else 0.5}},
        definitions={field: definition.to_json()},
        gauges={gauge: "1 1"},
        exemplars={f"{field} {whole}": "1 {}"},
        shapes=shapes,
    )
    removals = (Removal(field, whole, has_parts=False, packed=definition.packed),)
    second = Delta(adds={field: {whole: 1}}, removals=removals, unset=(gauge,), shapes=shapes)

    def batch(prev: int, seq: int, delta: Delta = NOTHING, *, goodbye: bool = False) -> ScriptCall:
        tokens = {"prev_token": f"{prev}" if prev else "", "token": f"{seq}"}
        return store.apply_call(Apply(epoch, writer, prev, seq, 0, delta, goodbye, **tokens))

    yield "hello", store.hello_call(Hello(writer, epoch), {"replica": "doctor"})
    yield "a batch", batch(0, 1, first)
    yield "a removal", batch(1, 2, second)
    yield "a heartbeat", batch(2, 2)
    yield "a goodbye", batch(2, 2, goodbye=True)
    yield "putting away", store.fold_call(Fold(epoch, _AT_ONCE, writers=((writer, ()),)))
    if definition.packed:
        yield "compacting", store.compact_call(Compact(epoch, writer, (field,), least=0, share=0, most=9))


def _command(call: ScriptCall) -> Command:
    script, keys, arguments = call
    return ("EVALSHA", script.sha, len(keys), *keys, *arguments)


def _problem(step: str, reply: Any) -> str:
    """What is wrong with a reply; empty if nothing is."""
    if isinstance(reply, Exception):
        return f"{step}: {reply}"
    if not isinstance(reply, Sequence):
        return ""  # the reply of DEL: the number of deleted keys
    if reply[0] in (b"folded", b"compacted"):
        return "" if reply[1] == b"1" else f"{step}: {reply!r}"
    if step == "compacting":
        return f"{step}: {reply!r}"
    answer = answer_of(list(reply))
    if answer.refused:
        return f"{step}: {answer.refused[0].partition(': ')[2]}"
    expected = "hello" if step == "hello" else "applied"
    return "" if answer.status == expected else f"{step}: it was answered {answer.status!r}"
