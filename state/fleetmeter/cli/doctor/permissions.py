"""Which of a writer's commands this user may call, and which the server knows. Nothing in the data changes.

A server checks permissions before arguments. So each command is called in a form that changes nothing, or that the
server refuses only after that check: HSET with half a pair, HINCRBY by a text, SETRANGE before the first byte. A
command without such a form is queued in a transaction that is never executed. If the user is refused, the server notes
that in its ACL LOG. Some trouble stays unseen, such as a store that takes no writes at all; `rehearsal.py` finds it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

import redis

from fleetmeter.connection.client import translated
from fleetmeter.schema.keys import Keys

_CALLED_BY_WRITERS = ("EVALSHA", "HGET", "HGETALL", "HKEYS", "SCRIPT LOAD")
"""Commands that `writer/store.py` and `writer/upkeep.py` call themselves. Those of their scripts are found by searching
the scripts."""
_CALLED_TO_CONVERT = ("HSCAN",)
"""Commands that they also call if numbers are packed."""
_CALLED_TO_READ_PACKED = ("GET", "LRANGE")
"""Commands that an exporter calls once there are packed numbers, and not before."""

_OPERATORS_SCRIPTS = frozenset(("forget", "reset"))
_PACKED_PARTS = frozenset(("blocks", "compact", "convert", "packed", "packed_layouts", "permitted", "slots", "stated"))
"""The parts of `apply`, and the scripts, that run only if numbers are packed."""
_UNKNOWN = ("unknown command", "err unknown command", "unknown subcommand")
"""The first words of a server's error about a command that it does not have."""
_Outcome = Literal["allowed", "refused", "missing", "unclear"]

NOBODY = "@doctor"
"""A field of `writers`, and a writer's id, that never exist."""


@dataclass(frozen=True)
class Permissions:
    """The commands of a writer that do not work, by the reason.

    `refused`: this user may not call them. `missing`: the server does not know them, for instance because of
    `rename-command`. `unclear`: that could not be found out.
    """

    refused: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()


def writer_permissions(client: redis.Redis, keys: Keys, *, packed: bool) -> Permissions:
    """Try everything that a writer calls, on keys of the namespace; with `packed`, one that packs numbers.

    Raises `StoreUnreachable`.
    """
    found: dict[_Outcome, list[str]] = {"allowed": [], "refused": [], "missing": [], "unclear": []}
    commands = sorted(
        {*_CALLED_BY_WRITERS, *(_CALLED_TO_CONVERT if packed else ()), *_called_by_scripts(packed=packed)}
    )
    with translated():
        for command in commands:
            found[_tried(client, keys, command)].append(command)
    return Permissions(tuple(found["refused"]), tuple(found["missing"]), tuple(found["unclear"]))


def unreadable_once_packed(client: redis.Redis, keys: Keys) -> tuple[str, ...]:
    """The commands that an exporter would lack as soon as there are packed numbers. Raises `StoreUnreachable`."""
    with translated():
        return tuple(one for one in _CALLED_TO_READ_PACKED if _tried(client, keys, one) != "allowed")


def _called_by_scripts(*, packed: bool) -> Iterator[str]:
    left_out = _OPERATORS_SCRIPTS | (frozenset() if packed else _PACKED_PARTS)
    for script in (files("fleetmeter") / "lua").iterdir():
        name, _, kind = script.name.partition(".")
        if kind == "lua" and name not in left_out:  # each part by itself, not with the script that includes it
            yield from re.findall(r"(?:redis\.p?call|in_parts)\('([A-Z]+)'", script.read_text(encoding="utf-8"))


def _harmless(keys: Keys, command: str) -> tuple[str, ...] | None:
    """The command in a form that changes nothing; None if it has no such form."""
    key = keys.writers
    forms = {
        "EVALSHA": ("EVALSHA", "0" * 40, "1", key),
        "SCRIPT LOAD": ("SCRIPT LOAD", "("),
        "TIME": ("TIME",),
        "GET": ("GET", keys.writer(NOBODY)),
        "HGET": ("HGET", key, NOBODY),
        "HEXISTS": ("HEXISTS", key, NOBODY),
        "HGETALL": ("HGETALL", keys.writer(NOBODY)),
        "HKEYS": ("HKEYS", keys.writer(NOBODY)),
        "HSCAN": ("HSCAN", keys.writer(NOBODY), "0"),
        "HLEN": ("HLEN", keys.writer(NOBODY)),
        "HSET": ("HSET", key, NOBODY, "", NOBODY),
        "HDEL": ("HDEL", key, NOBODY),
        "HINCRBY": ("HINCRBY", key, NOBODY, "none"),
        "HINCRBYFLOAT": ("HINCRBYFLOAT", key, NOBODY, "none"),
        "DEL": ("DEL", keys.writer(NOBODY)),
        "HMGET": ("HMGET", key, NOBODY),
        "BITFIELD": ("BITFIELD", keys.writer(NOBODY)),
        "LINDEX": ("LINDEX", keys.writer(NOBODY), "0"),
        "EXISTS": ("EXISTS", keys.writer(NOBODY)),
        "LLEN": ("LLEN", keys.writer(NOBODY)),
        "LRANGE": ("LRANGE", keys.writer(NOBODY), "0", "0"),
        "STRLEN": ("STRLEN", keys.writer(NOBODY)),
        "SETRANGE": ("SETRANGE", keys.writer(NOBODY), "-1", "none"),
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
            one.connection.disconnect()  # which discards the transaction


def _outcome(call: Callable[[], Any]) -> _Outcome:
    """Whether the server lets this user call the command. An error about the arguments counts as `allowed`."""
    try:
        call()
    except redis.exceptions.NoPermissionError:
        return "refused"
    except redis.AuthenticationError:
        raise
    except redis.ResponseError as error:
        return "missing" if str(error).lower().startswith(_UNKNOWN) else "allowed"
    return "allowed"
