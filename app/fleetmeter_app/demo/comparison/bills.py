"""What the upstream billed and told its clients, by model: what an exact export has to show."""

from collections.abc import Mapping

from fleetmeter_app.upstream.ledger import Account, Ledger, Outcomes


def bills(ledger: Ledger, estimated: Mapping[str, Outcomes]) -> dict[str, Outcomes]:
    """The answers that cost something, by model.

    A stream that its client left before its usage was told is billed in full, which nobody but the upstream can know.
    In the place of that bill stands what is `estimated` of it, by model.
    """
    found: dict[str, Outcomes] = {}
    for model, account in ledger.models.items():
        known = found[model] = Outcomes()
        known.add(account.delivered)
        known.add(estimated.get(model, Outcomes()))
    return found


def untold(ledger: Ledger) -> Outcomes:
    """What was billed for streams whose client had left before their usage was told."""
    total: Account = ledger.total()
    return total.abandoned


def added(outcomes: Mapping[str, Outcomes]) -> Outcomes:
    """All models together."""
    total = Outcomes()
    for each in outcomes.values():
        total.add(each)
    return total
