"""fleetmeter's Lua scripts, run by Lua 5.1 against a store's keys: the text that Redis would run."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha1
from typing import Any

import lupa.lua51 as lupa

from fleetmeter.lua import lua_source
from simulator.bitfield import CommandError
from simulator.hashes import Hashes

ScriptReply = list[Any]

_PRELUDE = """
return function(command, sha1hex)
  redis = {
    sha1hex = sha1hex,
    pcall = command,
    call = function(...)
      local result = command(...)
      if type(result) == 'table' and result.err then error(result) end
      return result
    end,
    error_reply = function(text) return { err = text } end,
    status_reply = function(text) return { ok = text } end,
  }
  return function(chunk, keys, argv)
    KEYS, ARGV = keys, argv
    local ok, result = pcall(chunk)
    if ok then return result end
    return { err = type(result) == 'table' and result.err or tostring(result) }
  end
end
"""


class Scripts:
    """Compiled scripts, by name; one interpreter for as many stores as one likes."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._lua: Any = lupa.LuaRuntime(encoding="latin-1")  # a character is a byte; no text of ours has others
        self._hashes: Hashes | None = None
        globals_ = self._lua.globals()
        globals_.cjson = self._lua.table_from({"decode": self._decode, "encode": json.dumps, "null": _NULL})
        self._run = self._lua.execute(_PRELUDE)(self._command, _sha1hex)
        self._chunks = {name: self._compiled(name, source) for name, source in sources.items()}

    def run(self, name: str, hashes: Hashes, keys: Sequence[str], arguments: Sequence[object]) -> ScriptReply:
        """The reply of a script, lists as lists; raises `CommandError` where it is an error."""
        self._hashes = hashes
        hashes.changed = False
        texts = [str(argument) for argument in arguments]
        reply = self._run(self._chunks[name], self._lua.table_from(list(keys)), self._lua.table_from(texts))
        if reply.err is not None:
            raise CommandError(str(reply.err))
        return [reply[index] for index in range(1, len(reply) + 1)]

    def _compiled(self, name: str, source: str) -> Any:
        return self._lua.eval("function(text, name) return assert(loadstring(text, name)) end")(
            source.encode(), "=" + name
        )

    def _command(self, name: str, *arguments: object) -> Any:
        assert self._hashes is not None
        try:
            reply = self._hashes.execute(name, *arguments)
        except CommandError as error:
            return self._lua.table_from({"err": str(error)})
        if reply is None:
            return False
        if isinstance(reply, (list, tuple)):
            return self._lua.table_from([False if item is None else item for item in reply])
        return reply

    def _decode(self, text: str) -> Any:
        return self._table(json.loads(text))

    def _table(self, value: Any) -> Any:
        if isinstance(value, list):
            return self._lua.table_from([_NULL if item is None else self._table(item) for item in value])
        if isinstance(value, dict):
            return self._lua.table_from({key: self._table(item) for key, item in value.items()})
        return value


def _sha1hex(text: str) -> str:
    return sha1(text.encode(), usedforsecurity=False).hexdigest()


class _Null:
    """What JSON's null is to a script: equal to itself only."""


_NULL = _Null()


@cache
def sources() -> dict[str, str]:
    """The package's own scripts."""
    return {name: lua_source(name) for name in ("hello", "apply", "fold", "convert", "compact")}
