"""One frame of `top`: replicas, requests, tokens, money, models, and the health of flushes."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fleetmeter.cli.printing import NOTHING, bytes_text, counted, seconds_text, time_text
from fleetmeter.cli.top.panels import LINES, counts, facts, money, panel, plain, side_by_side
from fleetmeter.watching.figures import Figures, figures, most_common
from fleetmeter.watching.sighting import Sighting, Watch

_REPLICAS = 6
"""Replicas that are shown by name; so the frame fits a terminal of 30 lines."""


def frame(watch: Watch) -> RenderableType:
    """The whole frame; it needs 80 columns."""
    now = watch.now
    if now is None:
        reason = _trouble(watch)
        reason.no_wrap = False  # there is room for all of it, as nothing else is shown
        return Group(plain(watch.target.place), reason)
    found = figures(watch, now)
    return Group(
        _head(watch, now),
        panel("replicas", _replicas(found)),
        side_by_side(
            (1, panel("requests", _requests(found))),
            (1, panel("tokens by type", _tokens(found))),
            (1, panel("money and cache", _money(found))),
        ),
        side_by_side((1, panel("models", _models(found))), (1, panel("flush health", _health(found)))),
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
        parts.append(Text(f"{counted(len(now.problems), 'part')} unreadable: see fleetmeter doctor", style="bold red"))
    if watch.trouble is not None:
        parts.append(_trouble(watch))
    return Group(*parts)


def _trouble(watch: Watch) -> Text:
    text = plain(watch.trouble or "not read yet")
    text.stylize("bold red" if watch.trouble else "dim")
    text.no_wrap = True
    return text


def _replicas(found: Figures) -> RenderableType:
    table = Table(box=None, pad_edge=False, expand=True, header_style="dim")
    table.add_column("name", no_wrap=True, ratio=1)
    for name in ("pid", "version", "last sign", "requests", "req/s", "errors"):
        table.add_column(name, justify="right", no_wrap=True)
    for replica in found.replicas[:_REPLICAS]:
        table.add_row(
            plain(replica.name),
            plain(replica.pid or NOTHING),
            plain(replica.version or NOTHING),
            seconds_text(replica.silent),
            _whole(replica.requests),
            _rate(replica.per_second),
            _whole(replica.errors),
            style="" if replica.alive else "dim",
        )
    if len(found.replicas) > _REPLICAS:
        table.add_row(Text(f"and {len(found.replicas) - _REPLICAS} more", style="dim"))
    return table if found.replicas else Text(NOTHING, style="dim")


def _requests(found: Figures) -> RenderableType:
    return facts(
        ("total", _whole(found.requests)),
        ("per second", _rate(found.requests_per_second)),
        ("in progress", _whole(found.in_progress)),
        ("errors", _whole(found.errors)),
        ("fallbacks", _whole(found.fallbacks)),
    )


def _tokens(found: Figures) -> RenderableType:
    return _none() if found.tokens is None else counts(most_common(found.tokens, len(found.tokens)))


def _money(found: Figures) -> RenderableType:
    return facts(
        ("total", NOTHING if found.cost is None else money(found.cost)),
        ("per hour", NOTHING if found.per_hour is None else f"${found.per_hour / 1e9:,.4f}"),
        ("tokens/s", _rate(found.tokens_per_second)),
        ("cache hits", NOTHING if found.hit_ratio is None else f"{found.hit_ratio:.1%}"),
        ("cache size", _whole(found.cache_size)),
    )


def _models(found: Figures) -> RenderableType:
    table = Table(box=None, pad_edge=False, expand=True, header_style="dim")
    table.add_column("model", no_wrap=True, ratio=1)
    table.add_column("calls", justify="right", no_wrap=True)
    table.add_column("cost", justify="right", no_wrap=True)
    for model in found.models[:LINES]:
        table.add_row(plain(model.name), f"{model.calls:,}", NOTHING if model.cost is None else money(model.cost))
    if len(found.models) > LINES:
        table.add_row(Text("others", style="dim"), f"{sum(model.calls for model in found.models[LINES:]):,}")
    return table if found.models else _none()


def _health(found: Figures) -> RenderableType:
    if found.flush_errors:
        trouble = ", ".join(f"{reason} {count:,}" for reason, count in most_common(found.flush_errors, 3))
    else:
        trouble = NOTHING if found.flush_errors is None else "0"
    return facts(
        ("flushes", _whole(found.flushes)),
        ("flushes/s", _rate(found.flushes_per_second)),
        ("flush errors", trouble),
        ("lost batches", _whole(found.lost_batches)),
        ("retained", NOTHING if found.retained_bytes is None else bytes_text(found.retained_bytes)),
        ("oldest write", NOTHING if found.oldest_write is None else f"{seconds_text(found.oldest_write)} ago"),
    )


def _whole(number: int | None) -> str:
    return NOTHING if number is None else f"{number:,}"


def _rate(rate: float | None) -> str:
    return NOTHING if rate is None else f"{rate:,.1f}"


def _none() -> Text:
    """Shown for an empty list, as high as the other lists."""
    return Text(NOTHING + "\n" * (LINES - 1), style="dim")
