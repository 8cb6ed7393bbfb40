"""Whether this user may do what a writer does, found out without a trace in the data.

Each command is called in a form that the server refuses, or that changes nothing, once it has looked at the user's
permissions: HSET with half a pair, HINCRBY by no number. Commands without such a form are queued in a transaction that
is never executed. Where a user is refused, the server notes that in its ACL LOG.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import redis

from fleetmeter.connection.client import translated
from fleetmeter.lua import lua_source
from fleetmeter.schema.keys import Keys

_CALLED_BY_WRITERS = ("EVALSHA", "HGET", "HGETALL", "HKEYS", "SCRIPT LOAD")
"""What `store.py` calls; what its scripts call is read from them."""

_OPERATORS_SCRIPTS = frozenset(("forget", "reset"))
_NOBODY = "@doctor"
"""A field, and a writer's id, that never exist."""


@dataclass(frozen=True)
class Permissions:
    """Commands that a writer needs and that this user may not call, or of which that could not be found out."""

    refused: tuple[str, ...]
    unclear: tuple[str, ...]


def writer_permissions(client: redis.Redis, keys: Keys) -> Permissions:
    """Try everything that a writer calls, on keys of the namespace. Raises `StoreUnreachable`."""
    refused, unclear = [], []
    with translated():
        for command in sorted({*_CALLED_BY_WRITERS, *_called_by_scripts()}):
            allowed = _allowed(client, keys, command)
            if allowed is None:
                unclear.append(command)
            elif not allowed:
                refused.append(command)
    return Permissions(tuple(refused), tuple(unclear))


def _called_by_scripts() -> Iterator[str]:
    for script in (files("fleetmeter") / "lua").iterdir():
        name, _, kind = script.name.partition(".")
        if kind == "lua" and name not in _OPERATORS_SCRIPTS:
            yield from re.findall(r"redis\.p?call\('([A-Z]+)'", lua_source(name))


def _harmless(keys: Keys, command: str) -> tuple[str, ...] | None:
    """The command in a form that changes nothing; None where it has none."""
    key = keys.writers
    forms = {
        "EVALSHA": ("EVALSHA", "0" * 40, "1", key),
        "SCRIPT LOAD": ("SCRIPT LOAD", "("),
        "TIME": ("TIME",),
        "HGET": ("HGET", key, _NOBODY),
        "HEXISTS": ("HEXISTS", key, _NOBODY),
        "HGETALL": ("HGETALL", keys.writer(_NOBODY)),
        "HKEYS": ("HKEYS", keys.writer(_NOBODY)),
        "HLEN": ("HLEN", keys.writer(_NOBODY)),
        "HSET": ("HSET", key, _NOBODY, "", _NOBODY),
        "HDEL": ("HDEL", key, _NOBODY),
        "HINCRBY": ("HINCRBY", key, _NOBODY, "none"),
        "HINCRBYFLOAT": ("HINCRBYFLOAT", key, _NOBODY, "none"),
        "DEL": ("DEL", keys.writer(_NOBODY)),
    }
    return forms.get(command)


def _allowed(client: Any, keys: Keys, command: str) -> bool | None:
    form = _harmless(keys, command)
    if form is not None:
        return _accepted(lambda: client.execute_command(*form))
    with client.client() as one:
        if not _accepted(lambda: one.execute_command("MULTI")):
            return None
        try:
            return _accepted(lambda: one.execute_command(command, keys.writers, _NOBODY, ""))
        finally:
            one.connection.disconnect()  # and with it the transaction


def _accepted(call: Callable[[], Any]) -> bool:
    """Whether the server let this user call it, whatever it thought of the arguments."""
    try:
        call()
    except redis.exceptions.NoPermissionError:
        return False
    except redis.AuthenticationError:
        raise
    except redis.ResponseError:
        return True
    return True
