"""`fleetmeter keys`: creates, lists and revokes the gateway's API keys.

The program of the library finds it as an entry point of the group `fleetmeter.commands`, as it may not import the
gateway. Nothing here needs the gateway's extra.
"""

import argparse
import secrets
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import redis

from fleetmeter.cli.printing import NOTHING, columns, say, say_json, shown, time_text
from fleetmeter.cli.target import NamespaceTarget, Subcommands, add_command
from fleetmeter.connection.client import followed, translated
from fleetmeter.errors import FleetmeterError, SettingError
from fleetmeter_app.guarding.keys.record import KeyRecord, StoredKey, read_keys
from fleetmeter_app.guarding.keys.secret import Secret
from fleetmeter_app.guarding.rates.rate import parse_rates
from fleetmeter_app.store.script import Script

_LONGEST = 64
"""Characters of a name, a team or a tenant: they stand in lists and labels."""


class UnknownKey(FleetmeterError):
    """There is no key of this id."""


def add_keys(subcommands: Subcommands) -> None:
    """Add `keys` to the program."""
    parser = subcommands.add_parser(
        "keys",
        help="Create, list and revoke the gateway's API keys.",
        description="Create, list and revoke the gateway's API keys.",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    create = add_command(actions, "create", "Create a key and print it, this once: only a digest is stored.")
    options = {
        "--name": "what it is for",
        "--team": "whose it is; budgets may be per team",
        "--tenant": "who shares cached answers (default: the team, else only this key)",
        "--rate": "such as 60/minute or '10/second; 5000/day' (default: no limit)",
    }
    for flag, meaning in options.items():
        create.add_argument(flag, default="", metavar="TEXT", help=meaning)
    repeatable = {
        "--model": "a model that it may ask, or gpt-6*; repeatable (default: all)",
        "--budget": "a budget of the configuration that it is under; repeatable",
    }
    for flag, meaning in repeatable.items():
        create.add_argument(flag, action="append", default=[], metavar="NAME", help=meaning)
    create.set_defaults(run=_create)
    listing = add_command(actions, "list", "List keys, newest last; never the keys themselves.")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(run=_list)
    revoke = add_command(actions, "revoke", "Revoke a key: every replica refuses it within 5 seconds.")
    revoke.add_argument("id", metavar="ID", help="the key's id, as `list` shows it")
    revoke.set_defaults(run=_revoke)


_CREATE, _REVOKE = Script("key_create"), Script("key_revoke")


@dataclass(frozen=True)
class _Store:
    """The keys of one namespace."""

    client: redis.Redis
    key: str

    def run(self, script: Script, *arguments: str) -> str:
        """The answer of a script. Raises `StoreError`."""
        with translated():
            loaded: Any = self.client.register_script(script.text)
            answer: bytes = followed(lambda: loaded(keys=[self.key], args=arguments))
        return answer.decode()

    def all(self) -> tuple[dict[str, StoredKey], list[str]]:
        """See `read_keys`. Raises `StoreError`."""
        with translated():
            fields: Any = followed(lambda: self.client.hgetall(self.key))
        return read_keys(fields)

    def now_us(self) -> int:
        """The store's time."""
        with translated():
            seconds, micros = followed(self.client.time)
        return int(seconds) * 1_000_000 + int(micros)


def _create(arguments: argparse.Namespace) -> int:
    target = NamespaceTarget.of(arguments)
    for flag in ("name", "team", "tenant"):
        _check_text(f"--{flag}", getattr(arguments, flag))
    for flag in ("model", "budget"):
        for text in getattr(arguments, flag):
            _check_text(f"--{flag}", text, may_be_empty=False)
    try:
        parse_rates(arguments.rate)
    except ValueError as error:
        raise SettingError("--rate", str(error)) from error
    secret = create_key(
        target,
        name=arguments.name,
        team=arguments.team,
        tenant=arguments.tenant,
        models=arguments.model,
        rate=arguments.rate,
        budgets=arguments.budget,
    )
    say(secret.text)
    return 0


def create_key(
    target: NamespaceTarget,
    *,
    name: str = "",
    team: str = "",
    tenant: str = "",
    models: Iterable[str] = (),
    rate: str = "",
    budgets: Iterable[str] = (),
) -> Secret:
    """A new key, which the store knows by its digest from now on. Raises `StoreError`."""
    secret = Secret.new()
    with closing(target.client()) as client:
        store = _Store(client, target.keys.api_keys)
        record = KeyRecord(
            digest=secret.digest,
            name=name,
            team=team,
            tenant=tenant,
            models=tuple(dict.fromkeys(models)),
            rate=rate,
            budgets=tuple(dict.fromkeys(budgets)),
            created_us=store.now_us(),
        )
        store.run(_CREATE, secret.id, record.to_json(), secrets.token_hex(8))
    return secret


def _list(arguments: argparse.Namespace) -> int:
    target = NamespaceTarget.of(arguments)
    with closing(target.client()) as client:
        found, unreadable = _Store(client, target.keys.api_keys).all()
    ordered = sorted(found.items(), key=lambda item: item[1].record.created_us)
    if arguments.json:
        say_json([_json(key_id, key) for key_id, key in ordered])
    elif not ordered:
        say(f"no keys in {target.place}")
    else:
        heads = ("ID", "NAME", "TEAM", "TENANT", "MODELS", "RATE", "BUDGETS", "CREATED", "REVOKED")
        say("\n".join(columns(heads, [_row(key_id, key) for key_id, key in ordered])))
    for key_id in unreadable:
        say(f"{key_id} cannot be read, and nobody can use it")
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    target = NamespaceTarget.of(arguments)
    if not (arguments.id.isascii() and arguments.id.isalnum()):
        raise SettingError("ID", f"{arguments.id!r} is no key's id; give the id that `fleetmeter keys list` shows")
    with closing(target.client()) as client:
        answer = _Store(client, target.keys.api_keys).run(_REVOKE, arguments.id, secrets.token_hex(8))
    if answer == "unknown":
        raise UnknownKey(f"there is no key {arguments.id!r} in {target.place}; `fleetmeter keys list` shows them")
    say(f"{arguments.id} was revoked already" if answer == "already" else f"{arguments.id} is revoked")
    return 0


def _check_text(flag: str, text: str, *, may_be_empty: bool = True) -> None:
    if len(text) > _LONGEST or not text.isprintable() or (not text.strip() and (text or not may_be_empty)):
        raise SettingError(flag, f"{text!r} is not 1 to {_LONGEST} printable characters; choose such a text")


def _row(key_id: str, key: StoredKey) -> tuple[str, ...]:
    record = key.record
    return (
        key_id,
        shown(record.name) or NOTHING,
        shown(record.team) or NOTHING,
        shown(record.tenant) or NOTHING,
        shown(",".join(record.models)) or "all",
        record.rate or NOTHING,
        shown(",".join(record.budgets)) or NOTHING,
        time_text(record.created_us),
        NOTHING if key.revoked_us is None else time_text(key.revoked_us),
    )


def _json(key_id: str, key: StoredKey) -> dict[str, Any]:
    record = key.record
    return {
        "id": key_id,
        "name": record.name,
        "team": record.team,
        "tenant": record.tenant,
        "models": list(record.models),
        "rate": record.rate,
        "budgets": list(record.budgets),
        "created": time_text(record.created_us),
        "revoked": None if key.revoked_us is None else time_text(key.revoked_us),
    }
