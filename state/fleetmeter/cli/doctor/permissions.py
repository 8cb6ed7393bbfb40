"""Whether this user may do what a writer does, and whether the server knows the commands, without a trace in the data.

Each command is called in a form that the server refuses, or that changes nothing, once it has looked at the user's
permissions: HSET with half a pair, HINCRBY by no number. Commands without such a form are queued in a transaction that
is never executed. If a user is refused, the server notes that in its ACL LOG. What none of this can show, as a store
that takes no writes, the rehearsal does.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

import redis

from fleetmeter.connection.client import translated
from fleetmeter.lua import lua_source
from fleetmeter.schema.keys import Keys

_CALLED_BY_WRITERS = ("EVALSHA", "HGET", "HGETALL", "HKEYS", "SCRIPT LOAD")
"""What `store.py` calls; what its scripts call is read from them."""

_OPERATORS_SCRIPTS = frozenset(("forget", "reset"))
_UNKNOWN = ("unknown command", "err unknown command", "unknown subcommand")
"""How a server begins to speak of a command that it does not have."""
_Outcome = Literal["allowed", "refused", "missing", "unclear"]

NOBODY = "@doctor"
"""A field, and a writer's id, that never exist."""


@dataclass(frozen=True)
class Permissions:
    """Commands that a writer needs, by what is wrong with them.

    This user may not call those that are `refused`; the server has none of the names that are `missing`, as after
    `rename-command`; of those that are `unclear` it could not be found out.
    """

    refused: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()


def writer_permissions(client: redis.Redis, keys: Keys) -> Permissions:
    """Try everything that a writer calls, on keys of the namespace. Raises `StoreUnreachable`."""
    found: dict[_Outcome, list[str]] = {"allowed": [], "refused": [], "missing": [], "unclear": []}
    commands = sorted({*_CALLED_BY_WRITERS, *_called_by_scripts()})
    with translated():
        for command in commands:
            found[_tried(client, keys, command)].append(command)
    return Permissions(tuple(found["refused"]), tuple(found["missing"]), tuple(found["unclear"]))


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
        "HGET": ("HGET", key, NOBODY),
        "HEXISTS": ("HEXISTS", key, NOBODY),
        "HGETALL": ("HGETALL", keys.writer(NOBODY)),
        "HKEYS": ("HKEYS", keys.writer(NOBODY)),
        "HLEN": ("HLEN", keys.writer(NOBODY)),
        "HSET": ("HSET", key, NOBODY, "", NOBODY),
        "HDEL": ("HDEL", key, NOBODY),
        "HINCRBY": ("HINCRBY", key, NOBODY, "none"),
        "HINCRBYFLOAT": ("HINCRBYFLOAT", key, NOBODY, "none"),
        "DEL": ("DEL", keys.writer(NOBODY)),
    }
    return forms.get(command)


def _tried(client: Any, keys: Keys, command: str) -> _Outcome:
    form = _harmless(keys, command)
    if form is not None:
        return _outcome(lambda: client.execute_command(*form))
    with client.client() as one:
        if _outcome(lambda: one.execute_command("MULTI")) != "allowed":
            return "unclear"
        try:
            return _outcome(lambda: one.execute_command(command, keys.writers, NOBODY, ""))
        finally:
            one.connection.disconnect()  # and with it the transaction


def _outcome(call: Callable[[], Any]) -> _Outcome:
    """Whether the server let this user call it, whatever it thought of the arguments."""
    try:
        call()
    except redis.exceptions.NoPermissionError:
        return "refused"
    except redis.AuthenticationError:
        raise
    except redis.ResponseError as error:
        return "missing" if str(error).lower().startswith(_UNKNOWN) else "allowed"
    return "allowed"
