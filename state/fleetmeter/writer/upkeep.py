"""The connection to Redis, and what housekeeping asks through it: what is left over, and the calls that tidy it up."""

from collections.abc import Sequence
from typing import Any

from redis.commands.core import Script
from redis.exceptions import AskError, MovedError

from fleetmeter.connection.client import asked, connect, followed, translated
from fleetmeter.connection.credentials import Credentials
from fleetmeter.lua import lua_source
from fleetmeter.schema.keys import SWEPT_FIELD, Keys
from fleetmeter.writer.compaction import Compact
from fleetmeter.writer.conversion import Convert
from fleetmeter.writer.messages import Fold, Leftovers

ScriptCall = tuple[Script, list[str], Sequence[Any]]
"""A script, its keys and its arguments."""


class Upkeep:
    """The upkeep of a namespace in one store. Every method raises `StoreUnreachable` or `StoreRefused`."""

    def __init__(self, url: str, keys: Keys, max_series: int, credentials: Credentials | None, *, packed: bool) -> None:
        self.keys = keys
        self.max_series = max_series
        self.packed = packed
        """Whether the writer packs its numbers, which its row says."""
        self._client = connect(url, keys.writers, credentials)
        self._fold = self._client.register_script(lua_source("fold"))
        self._convert = self._client.register_script(lua_source("convert"))
        self._compact = self._client.register_script(lua_source("compact"))

    def leftovers(self) -> Leftovers:
        """The hashes that show what is due to be put away."""
        return Leftovers(*(self._hash(key) for key in (self.keys.writers, self.keys.retired, self.keys.removed)))

    def gauge_fields(self) -> list[bytes]:
        """The fields of all gauges' values."""
        with translated():
            fields: Any = followed(lambda: self._client.hkeys(self.keys.gauges))
        return list(fields)

    def definitions(self) -> dict[bytes, bytes]:
        """The families, as they are stored."""
        return self._hash(self.keys.families)

    def rows(self) -> dict[bytes, bytes]:
        """The rows of all writers, as they are stored."""
        return self._hash(self.keys.writers)

    def lengths(self, fields: Sequence[str]) -> list[int]:
        """How many fields the hashes of these layouts have."""

        def asked_for() -> Any:
            pipeline: Any = self._client.pipeline(transaction=False)
            for field in fields:
                pipeline.hlen(self.keys.family(field))
            return pipeline.execute()

        with translated():
            return list(followed(asked_for)) if fields else []

    def some_fields(self, field: str, cursor: int, count: int) -> tuple[int, dict[bytes, bytes]]:
        """Some fields of a layout's hash, about `count`, and where to go on: at the end that is 0."""
        with translated():
            found: Any = followed(lambda: self._client.hscan(self.keys.family(field), cursor, count=count))
        goes_on, fields = found
        return int(goes_on), dict(fields)

    def convert(self, call: Convert) -> None:
        """Move fields of a hash to packed numbers; the store judges which."""
        with translated():
            self._run(*self.convert_call(call))

    def convert_call(self, call: Convert) -> ScriptCall:
        """A step of a conversion as it is sent."""
        fields, packed = call.twins.fields, call.twins.packed
        keys = [*self.keys.fixed, self.keys.family(fields.field), *self.keys.packed(packed.field)]
        parts = "parts" if packed.has_parts else "one"
        arguments = [call.epoch, call.writer, str(self.max_series), fields.field, packed.field, parts]
        for shape, moved in call.moved.items():
            arguments += [shape.text(), str(len(moved))]
            for one in moved:
                pairs = (str(number) for pair in one.amounts for number in pair)
                arguments += [one.field, one.text, one.series, str(len(one.amounts)), *pairs]
        return self._convert, keys, arguments

    def compact(self, call: Compact) -> int:
        """Compact a packed layout if the store finds one that is worth it: its number, the first being 1; or 0."""
        with translated():
            reply = self._run(*self.compact_call(call))
        return int(reply[1])

    def compact_call(self, call: Compact) -> ScriptCall:
        """A compaction as it is sent."""
        keys = [self.keys.writers, *(key for field in call.layouts for key in self.keys.packed(field))]
        return self._compact, keys, [call.epoch, call.random, str(call.least), str(call.share), str(call.most)]

    def swept_us(self) -> int:
        """When ended writers were last put away, by the store's clock; 0 for never."""
        with translated():
            told: Any = followed(lambda: self._client.hget(self.keys.writers, SWEPT_FIELD))
        return int(told or 0)

    def _hash(self, key: str) -> dict[bytes, bytes]:
        with translated():
            found: Any = followed(lambda: self._client.hgetall(key))
        return dict(found)

    def fold(self, call: Fold) -> None:
        """Put away what is due; the store judges it."""
        with translated():
            self._run(*self.fold_call(call))

    def fold_call(self, call: Fold) -> ScriptCall:
        """Putting away as it is sent."""
        fixed = [self.keys.writers, self.keys.retired, self.keys.gauges, self.keys.removed]
        arguments: list[str] = [
            call.epoch,
            *(str(int(seconds * 1e6)) for seconds in call.lives),
            str(len(call.writers)),
        ]
        for writer, gauges in call.writers:
            arguments += [writer, str(len(gauges)), *(text for gauge in gauges for text in gauge)]
        for fields in (call.retired, call.removed):
            arguments += [str(len(fields)), *fields]
        return self._fold, [*fixed, *(self.keys.writer(writer) for writer, _ in call.writers)], arguments

    def _run(self, script: Script, keys: list[str], arguments: Sequence[Any]) -> Any:
        """A script's reply, from whichever node has the keys."""
        try:
            return followed(lambda: script(keys=keys, args=arguments))
        except AskError as error:  # a slot is being moved: only this one call may go there
            if isinstance(error, MovedError):
                raise
            with asked(self._client, error) as there:
                pipeline: Any = there.pipeline(transaction=False)
                pipeline.script_load(script.script)
                pipeline.execute_command("ASKING")
                pipeline.execute_command("EVALSHA", script.sha, len(keys), *keys, *arguments)
                return pipeline.execute()[-1]

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._client.close()
