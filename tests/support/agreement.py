"""What a fleet shows of its calls beside what the upstream has billed: whole numbers under the same names."""

from collections.abc import Mapping

from fleetmeter_app.upstream.ledger import Account
from support.exposition import Series, total


def shown(samples: dict[Series, float]) -> dict[str, int]:
    """What samples say of all calls together."""
    sums = {
        "calls and retries": total(samples, "openai_api_calls_total") + total(samples, "openai_retries_total"),
        "tokens": total(samples, "openai_tokens_used_sum"),
        "nano-dollars": total(samples, "openai_total_cost_usd_total") * 1e9,
        "unpriced": total(samples, "openai_unpriced_calls_total"),
    }
    return {name: round(amount) for name, amount in sums.items()}


def billed(account: Account) -> dict[str, int]:
    """What they have to say. An answer whose usage nobody was told, or heard to its end, has no price."""
    return {
        "calls and retries": account.received,
        "tokens": account.delivered.usage.total,
        "nano-dollars": account.delivered.nanodollars,
        "unpriced": account.untold.answered + account.abandoned.answered,
    }


def differences(ours: Mapping[str, int], true: Mapping[str, int]) -> list[str]:
    """In what they are not equal, in words; empty if in nothing."""
    return [f"{name}: shown {ours[name]}, true {true[name]}" for name in true if ours[name] != true[name]]
