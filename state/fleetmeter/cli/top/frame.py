"""One frame of `top`: replicas, requests, tokens, money, models, and the health of flushes."""

from functools import partial

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fleetmeter.cli.printing import NOTHING, bytes_text, counted, seconds_text, time_text
from fleetmeter.cli.top.panels import LINES, counts, dollars, facts, panel, plain, side_by_side
from fleetmeter.cli.top.sighting import Sighting, Watch
from fleetmeter.cli.top.totals import Totals

_REPLICAS = 6
"""Replicas that are shown by name; so the frame fits a terminal of 30 lines."""
_REQUESTS, _ERRORS, _IN_PROGRESS = "http_requests_total", "errors_total", "http_requests_in_progress"
_FALLBACKS, _TOKENS = "model_fallbacks_total", "openai_tokens_used_sum"
_CALLS, _COST = "openai_api_calls_total", "openai_total_cost_usd_total"
_OPERATIONS, _HIT_RATE, _SIZE = "prompt_cache_operations_total", "prompt_cache_hit_rate", "prompt_cache_size"
_FLUSHES, _FLUSH_ERRORS, _LOST = (
    "fleetmeter_flushes_total", "fleetmeter_flush_errors_total", "fleetmeter_lost_batches_total",
)  # fmt: skip
_RETAINED = "fleetmeter_retained_bytes"


def frame(watch: Watch) -> RenderableType:
    """The whole frame; it needs 80 columns."""
    now = watch.now
    if now is None:
        return Group(plain(watch.target.place), _trouble(watch))
    totals = now.totals
    return Group(
        _head(watch, now),
        panel("replicas", _replicas(watch, now)),
        side_by_side(
            (1, panel("requests", _requests(watch, totals))),
            (1, panel("tokens by type", _tokens(totals))),
            (1, panel("money and cache", _money(watch, now))),
        ),
        side_by_side((1, panel("models", _models(totals))), (1, panel("flush health", _health(watch, now)))),
    )


def _head(watch: Watch, now: Sighting) -> RenderableType:
    snapshot = now.snapshot
    since = "nothing recorded yet" if snapshot.epoch is None else f"since {time_text(snapshot.epoch.birth_us)}"
    head = Text.assemble(
        (watch.target.settings.namespace, "bold"),
        f"   {counted(len(snapshot.alive), 'replica')} alive   {since}   ",
        (f"read {seconds_text(watch.age or 0)} ago, about 1 s behind", "dim"),
        no_wrap=True,
    )
    parts: list[RenderableType] = [head]
    if now.problems:
        parts.append(Text(f"{counted(now.problems, 'part')} unreadable: see fleetmeter doctor", style="bold red"))
    if watch.trouble is not None:
        parts.append(_trouble(watch))
    return Group(*parts)


def _trouble(watch: Watch) -> Text:
    text = plain(watch.trouble or "not read yet")
    text.stylize("bold red" if watch.trouble else "dim")
    text.no_wrap = True
    return text


def _replicas(watch: Watch, now: Sighting) -> RenderableType:
    snapshot = now.snapshot
    table = Table(box=None, pad_edge=False, expand=True, header_style="dim")
    table.add_column("name", no_wrap=True, ratio=1)
    for name in ("pid", "version", "last sign", "requests", "req/s", "errors"):
        table.add_column(name, justify="right", no_wrap=True)
    alive = snapshot.alive
    order = sorted(now.identities, key=lambda item: (item not in alive, now.identities[item].name, item))
    for writer in order[:_REPLICAS]:
        identity, row = now.identities[writer], snapshot.rows[writer]
        names = {identity.name, f"{identity.name}-{writer}"}
        table.add_row(
            plain(identity.replica or writer),
            plain(identity.pid or NOTHING),
            plain(identity.version or NOTHING),
            seconds_text(max(0.0, (snapshot.taken_us - row.heartbeat_us) / 1e6)),
            _total(now.totals, "replica_requests", names),
            _rate(watch, now.totals, "replica_requests", names),
            _total(now.totals, "replica_errors", names),
            style="" if writer in alive else "dim",
        )
    if len(order) > _REPLICAS:
        table.add_row(Text(f"and {len(order) - _REPLICAS} more", style="dim"))
    return table if order else Text(NOTHING, style="dim")


def _requests(watch: Watch, totals: Totals) -> RenderableType:
    return facts(
        ("total", _total(totals, _REQUESTS)),
        ("per second", _rate(watch, totals, _REQUESTS)),
        ("in progress", _total(totals, _IN_PROGRESS)),
        ("errors", _errors(totals)),
        ("fallbacks", _total(totals, _FALLBACKS)),
    )


def _errors(totals: Totals) -> str:
    """Requests that were answered with 500 or above. For a service without HTTP, its `errors_total`."""
    if not totals.has(_REQUESTS):
        return _total(totals, _ERRORS)
    failed = sum(count for status, count in totals.by("status", _REQUESTS).items() if status.startswith("5"))
    return f"{failed:,}"


def _tokens(totals: Totals) -> RenderableType:
    return counts(totals.by("type", _TOKENS).most_common()) if totals.has(_TOKENS) else _none()


def _money(watch: Watch, now: Sighting) -> RenderableType:
    totals = now.totals
    known = totals.has(_COST)
    each_second = watch.rate(partial(Totals.nanodollars, name=_COST)) if known else None
    return facts(
        ("total", dollars(totals, _COST) if known else NOTHING),
        ("per hour", NOTHING if each_second is None else f"${each_second * 3600 / 1e9:,.4f}"),
        ("tokens/s", _rate(watch, totals, _TOKENS)),
        ("cache hits", _hit_ratio(totals)),
        ("cache size", _total(now.totals, _SIZE)),
    )


def _hit_ratio(totals: Totals) -> str:
    gets = totals.total(_OPERATIONS, operation="get")
    if gets:
        return f"{totals.total(_OPERATIONS, operation='get', result='hit') / gets:.1%}"
    return f"{totals.value(_HIT_RATE):.1%}" if totals.has(_HIT_RATE) and not totals.has(_OPERATIONS) else NOTHING


def _models(totals: Totals) -> RenderableType:
    table = Table(box=None, pad_edge=False, expand=True, header_style="dim")
    table.add_column("model", no_wrap=True, ratio=1)
    table.add_column("calls", justify="right", no_wrap=True)
    table.add_column("cost", justify="right", no_wrap=True)
    calls = totals.by("model", _CALLS).most_common()
    for model, count in calls[:LINES]:
        cost = dollars(totals, _COST, model=model) if totals.has(_COST) else NOTHING
        table.add_row(plain(model), f"{count:,}", cost)
    if len(calls) > LINES:
        table.add_row(Text("others", style="dim"), f"{sum(count for _, count in calls[LINES:]):,}")
    return table if calls else _none()


def _health(watch: Watch, now: Sighting) -> RenderableType:
    snapshot, totals = now.snapshot, now.totals
    errors = totals.by("reason", _FLUSH_ERRORS).most_common(3)
    silences = [snapshot.taken_us - snapshot.rows[writer].heartbeat_us for writer in snapshot.alive]
    if errors:
        trouble = ", ".join(f"{reason} {count:,}" for reason, count in errors)
    else:
        trouble = "0" if totals.has(_FLUSH_ERRORS) else NOTHING
    return facts(
        ("flushes", _total(totals, _FLUSHES)),
        ("flushes/s", _rate(watch, totals, _FLUSHES)),
        ("flush errors", trouble),
        ("lost batches", _total(totals, _LOST)),
        ("retained", bytes_text(totals.value(_RETAINED)) if totals.has(_RETAINED) else NOTHING),
        ("oldest write", f"{seconds_text(max(0, *silences) / 1e6)} ago" if silences else NOTHING),
    )


def _count(totals: Totals, name: str, replicas: set[str] | None = None) -> int:
    """The sum over all series of a name; with `replicas`, only over those whose label `replica` is one of these.

    A replica may have two names there: its own, and that with its writer id behind it.
    """
    if replicas is None:
        return totals.total(name)
    return sum(totals.total(name, replica=replica) for replica in replicas)


def _total(totals: Totals, name: str, replicas: set[str] | None = None) -> str:
    return f"{_count(totals, name, replicas):,}" if totals.has(name) else NOTHING


def _rate(watch: Watch, totals: Totals, name: str, replicas: set[str] | None = None) -> str:
    rate = watch.rate(partial(_count, name=name, replicas=replicas)) if totals.has(name) else None
    return NOTHING if rate is None else f"{rate:,.1f}"


def _none() -> Text:
    """Shown for an empty list, as high as the other lists."""
    return Text(NOTHING + "\n" * (LINES - 1), style="dim")
