"""What the store keeps of an API key: everything but the key."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from fleetmeter_app.guarding.caller import Caller
from fleetmeter_app.guarding.rates.rate import parse_rates

VERSION_FIELD = "@version"
"""The field that changes with each change of any key; ids never start with `@`."""

_REVOKED = "revoked:"


@dataclass(frozen=True)
class KeyRecord:
    """One key: who it is for and what it may. `created_us` is the store's time; `models` is empty for all of them."""

    digest: str
    name: str = ""
    team: str = ""
    tenant: str = ""
    models: tuple[str, ...] = ()
    rate: str = ""
    budgets: tuple[str, ...] = ()
    created_us: int = 0

    def to_json(self) -> str:
        """The text that is stored."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a stored text. What a later version wrote beside is passed over. Raises `ValueError`."""
        try:
            given = json.loads(text)
            return cls(
                digest=_text(given["digest"]),
                name=_text(given["name"]),
                team=_text(given["team"]),
                tenant=_text(given["tenant"]),
                models=tuple(map(_text, given["models"])),
                rate=_text(given["rate"]),
                budgets=tuple(map(_text, given["budgets"])),
                created_us=int(given["created_us"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"no key's record: {error!r}") from error

    def caller(self, key_id: str) -> Caller:
        """Who holds it. Without a tenant or a team of its own, a key shares cached answers with nobody."""
        return Caller(
            key_id=key_id,
            team=self.team,
            models=frozenset(self.models) or None,
            tenant=self.tenant or self.team or f"key:{key_id}",
            budgets=self.budgets,
            rates=parse_rates(self.rate),
        )


@dataclass(frozen=True)
class StoredKey:
    """A key as it was read: its record, and when it was revoked (µs), None if it is in force."""

    record: KeyRecord
    revoked_us: int | None


def read_keys(fields: Mapping[bytes, bytes]) -> tuple[dict[str, StoredKey], list[str]]:
    """All keys by id, and the ids of those that cannot be read: nobody can use them."""
    texts = {name.decode(): text.decode("utf-8", "replace") for name, text in fields.items()}
    found: dict[str, StoredKey] = {}
    unreadable = []
    for name, text in texts.items():
        if name == VERSION_FIELD or name.startswith(_REVOKED):
            continue
        try:
            record = KeyRecord.from_json(text)
            parse_rates(record.rate)
            revoked = texts.get(_REVOKED + name)
            found[name] = StoredKey(record, None if revoked is None else int(revoked))
        except ValueError:
            unreadable.append(name)
    return found, unreadable


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
