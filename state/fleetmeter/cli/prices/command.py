"""`fleetmeter prices`: shows the rates of models, or adds up what a file of usages costs."""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from fleetmeter.cli.errors import CommandError
from fleetmeter.cli.prices.bill import Bill
from fleetmeter.cli.prices.rates import as_json, lines_of, overview
from fleetmeter.cli.prices.usages import price_file
from fleetmeter.cli.printing import Parser, complain, say, say_json
from fleetmeter.errors import SettingError
from fleetmeter.excerpt import quoted
from fleetmeter.pricing import PriceList, Unpriced
from fleetmeter.pricing.tiers import TIERS, tier_of

_DESCRIPTION = """
Without --usage: shows the rates of each MODEL in US dollars per million tokens, by tier and length of the prompt, with
the source of each figure. Without MODEL: all models. With --usage: shows what the usages in a file cost.
"""
_STATUS = """
Exit status: 0 if everything has a price; 1 if something has none, or a line is broken; 2 for arguments, settings or
files that cannot be used.
"""


def add_prices(subcommands: "argparse._SubParsersAction[Parser]") -> None:
    """Add `prices` to the program."""
    parser = subcommands.add_parser(
        "prices", help="Show rates, or price a file of usages.", description=_DESCRIPTION, epilog=_STATUS,
        allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument("models", nargs="*", metavar="MODEL", help="a model's name, as answers have it")
    parser.add_argument(
        "--usage", metavar="FILE", type=Path,
        help="price this file, one JSON object a line: an answer as an API returns it, or a usage with a model; "
        "- reads standard input",
    )  # fmt: skip
    parser.add_argument("--prices", metavar="FILE", type=Path, help="your own prices, a TOML file (FLEETMETER_PRICES)")
    parser.add_argument(
        "--tier", help="price at this tier, whatever tier the answers name: default, flex, priority, batch"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--provider", metavar="NAME", help="whose prices, such as openai (default), azure, groq")
    where.add_argument("--base-url", metavar="URL", help="the provider by the base URL of its API")
    parser.add_argument(
        "--at", metavar="DATE", help="prices of this day (2026-11-30); by default of an answer's own day, or of today"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=prices)


def prices(arguments: argparse.Namespace) -> int:
    """Print rates or a bill. Returns the exit status; raises `SettingError` and `CommandError`."""
    at = _day(arguments.at)
    if arguments.tier is not None and isinstance(tier_of(arguments.tier), Unpriced):
        raise SettingError("--tier", f"{quoted(arguments.tier)} has no prices; expected one of {', '.join(TIERS)}")
    price_list = PriceList.from_file(arguments.prices) if arguments.prices else PriceList.from_env(os.environ)
    place = {"provider": arguments.provider, "base_url": arguments.base_url}
    try:
        if arguments.usage is not None:
            if arguments.models:
                raise SettingError("--usage", f"the file names the models; leave out {arguments.models[0]!r}")
            return _bill(price_file(arguments.usage, price_list, tier=arguments.tier, at=at, **place), arguments)
        if not arguments.models:
            rows = overview(price_list, at=at or datetime.now(UTC), **place)
            say_json(rows) if arguments.json else say("\n".join(lines_of(rows)))
            return 0
        tiers = None if arguments.tier is None else (arguments.tier,)
        found = [as_json(price_list, model, tiers, at=at or datetime.now(UTC), **place) for model in arguments.models]
    except ImportError as error:
        raise CommandError(str(error)) from error
    say_json(found) if arguments.json else say("\n\n".join("\n".join(lines_of(one)) for one in found))
    return int(any("unpriced" in one for one in found))


def _bill(bill: Bill, arguments: argparse.Namespace) -> int:
    for broken in bill.broken:
        complain(broken, 1)
    if bill.broken_count > len(bill.broken):
        complain(f"and {bill.broken_count - len(bill.broken):,} more broken lines", 1)
    say_json(bill.as_json()) if arguments.json else say("\n".join(bill.lines()))
    return bill.status


def _day(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        day = datetime.fromisoformat(text)
    except ValueError:
        raise SettingError("--at", f"{text!r} is no date; expected one such as 2026-11-30") from None
    return day.replace(tzinfo=UTC) if day.tzinfo is None else day
