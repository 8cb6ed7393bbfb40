"""What the table `[guards]` says: how the guards behave when something is missing."""

from dataclasses import dataclass

from fleetmeter_app.tables import Table

_OPEN, _CLOSED = "fail_open", "fail_closed"


@dataclass(frozen=True)
class GuardsConfig:
    """How keys, rates and budgets behave when the store is away, and who needs a key.

    With `fail_open` requests go on by what was known last; without it they are refused where a guard applies.
    `require_keys` refuses callers without a key even if no key was ever created. `completion_tokens` stand for the
    longest answer of a call that names no limit.
    """

    fail_open: bool = True
    require_keys: bool = False
    completion_tokens: int = 4096


def read_guards(table: Table) -> GuardsConfig:
    """Read the table; raises `ConfigError` for what cannot be used."""
    away = table.take_text("when_store_is_away", _OPEN)
    if away not in (_OPEN, _CLOSED):
        table.refuse("when_store_is_away", f"is {away!r}; it must be {_OPEN} or {_CLOSED}")
    require = table.take_text("keys", "optional")
    if require not in ("optional", "required"):
        table.refuse("keys", f"is {require!r}; it must be optional or required")
    config = GuardsConfig(
        fail_open=away == _OPEN,
        require_keys=require == "required",
        completion_tokens=table.take_integer("completion_tokens", GuardsConfig.completion_tokens, minimum=1),
    )
    table.close()
    return config
