"""The first screen in HTML: the verdict and the tiles. Everything that is stored is escaped."""

from collections.abc import Iterable, Mapping
from html import escape

from fleetmeter.cli.printing import NOTHING, seconds_text
from fleetmeter.watching.figures import COST, Figures
from fleetmeter.watching.history import STEP
from fleetmeter.watching.overview import RECENT, Pace
from fleetmeter.watching.trust import Level, Trust
from fleetmeter_board.colours import colour
from fleetmeter_board.lookout import Lookout
from fleetmeter_board.numbers import dollars, duration, share, short, since, whole

_MARKS = {Level.YES: "✓", Level.PARTLY: "!", Level.NO: "✕", Level.EMPTY: "…"}
_FAILING, _CALLS_FAILING, _SLOW = (0.01, 0.05), (0.05, 0.2), (5.0, 10.0)
"""From where on a number is orange and red, as on the dashboards: shares of failures, and seconds."""


def verdict(trust: Trust) -> str:
    """The headline, which a screen reader reads out when it changes."""
    return f'<i aria-hidden="true">{_MARKS[trust.level]}</i>{escape(trust.headline)}'


def reasons(trust: Trust, notes: Iterable[str] = ()) -> str:
    """The verdict's reasons, and what else is worth knowing."""
    items = "".join(f"<li>{escape(reason)}</li>" for reason in trust.reasons)
    more = "".join(f'<p class="also">{escape(note)}</p>' for note in notes)
    return (f"<ul>{items}</ul>" if items else "") + more


def tiles(lookout: Lookout) -> str:
    """The numbers of the first screen, empty before the first sighting."""
    overview = lookout.overview
    found, now = overview.figures, overview.watch.now
    if found is None or now is None:
        return ""
    pace, at = overview.pace, now.snapshot.taken_us / 1e6
    birth = overview.birth
    began = "" if birth is None else f"since {since(birth, at)}"
    return "".join(
        (
            _hour(found, pace),
            _period(lookout, "today", "Cost today", found, at),
            _period(lookout, "month", "Cost this month", found, at),
            _requests(found, pace, began),
            _errors(found, pace, began, http=now.totals.has("http_requests_total")),
            _calls(found, pace, began),
            _latency(found, pace),
            _tokens(found, pace, began),
            _cache(found, pace),
            _replicas(found),
        )
    )


def _tile(key: str, title: str, value: str, sub: str, tone: str = "", more: str = "") -> str:
    shown = f'<p class="value {tone}">{value}</p>' if value else ""
    return (
        f'<section class="tile" data-tile="{key}"><h3>{escape(title)}</h3>{shown}{more}'
        f'<p class="sub">{escape(sub)}</p></section>'
    )


def _hour(found: Figures, pace: Pace | None) -> str:
    if found.cost is None:
        return _tile("hour", "An hour costs", NOTHING, f"nobody records {COST}")
    if pace is None or pace.per_hour is None:
        return _tile("hour", "An hour costs", NOTHING, "known after the second look")
    return _tile("hour", "An hour costs", f"{dollars(pace.per_hour)}<small>/h</small>", _over(pace, "at the pace of"))


def _period(lookout: Lookout, key: str, title: str, found: Figures, at: float) -> str:
    own, spent = lookout.overview.spent.get(key), lookout.spent(key)
    if found.cost is None or spent is None:
        return _tile(key, title, NOTHING, f"nobody records {COST}" if found.cost is None else "not known yet")
    start = since(spent.since, at)
    if spent is not own:
        asked = (
            "from the total that Prometheus had then" if spent.whole else "Prometheus has nothing of the time before"
        )
        return _tile(key, title if spent.whole else f"Cost since {start}", dollars(spent.nanodollars), asked)
    if not spent.whole:
        return _tile(key, f"Cost since {start}", dollars(spent.nanodollars), _unknown(lookout, title))
    why = "since midnight" if key == "today" else "since the first"
    birth = lookout.overview.birth
    return _tile(
        key, title, dollars(spent.nanodollars), why if spent.since != birth else f"since {start}, when counting began"
    )


def _unknown(lookout: Lookout, title: str) -> str:
    """Why less than a period is shown."""
    more = "" if lookout.prometheus else "; a Prometheus (--prometheus) may know"
    return f"{title.removeprefix('Cost ')}'s earlier part is not in the store's totals{more}"


def _requests(found: Figures, pace: Pace | None, began: str) -> str:
    if found.requests is None:
        return _tile("requests", "Requests", NOTHING, "nobody records HTTP requests")
    rate = None if pace is None else pace.requests
    under_way = "" if found.in_progress is None else f"; {whole(found.in_progress)} under way"
    return _tile("requests", "Requests", _rate(rate), f"{whole(found.requests)} {began}{under_way}")


def _errors(found: Figures, pace: Pace | None, began: str, *, http: bool) -> str:
    if found.errors is None:
        return _tile("errors", "Errors", NOTHING, "nobody records requests or errors")
    if not http:
        return _tile("errors", "Errors", whole(found.errors), f"of any type, {began}")
    failing = None if pace is None else pace.failing
    sub = f"{whole(found.errors)} answered with 5xx {began}"
    return _tile("errors", "Requests that fail", share(failing), sub, tone(failing, *_FAILING))


def _latency(found: Figures, pace: Pace | None) -> str:
    if found.requests is None:
        return _tile("latency", "Latency of requests", NOTHING, "nobody records HTTP requests")
    latency: Mapping[str, float | None] = {} if pace is None else pace.latency
    if not any(value is not None for value in latency.values()):
        return _tile("latency", "Latency of requests", NOTHING, _over(pace, "no request within"))
    items = "".join(
        f'<div><dt>{name}</dt><dd class="{tone(value, *_SLOW)}">{duration(value)}</dd></div>'
        for name, value in latency.items()
    )
    return _tile("latency", "Latency of requests", "", _over(pace, "within"), more=f"<dl>{items}</dl>")


def _calls(found: Figures, pace: Pace | None, began: str) -> str:
    if not found.models:
        return _tile("calls", "Model calls", NOTHING, "nobody records model calls")
    failing = None if pace is None else pace.calls_failing
    total = whole(sum(model.calls for model in found.models))
    colours = tone(failing, *_CALLS_FAILING)
    fails = f'<p class="sub"><b class="{colours}">{share(failing)}</b> fail</p>' if failing is not None else ""
    return _tile("calls", "Model calls", _rate(None if pace is None else pace.calls), f"{total} {began}", more=fails)


def _tokens(found: Figures, pace: Pace | None, began: str) -> str:
    if not found.tokens:
        return _tile("tokens", "Tokens", NOTHING, "nobody records tokens")
    rates = {} if pace is None else pace.tokens
    every = sum(rates.values())
    widths = "".join(
        f'<span style="flex:{rate / every:.4f};background:{colour("type", kind)}"></span>'
        for kind, rate in rates.items() if every and rate
    )  # fmt: skip
    bar = f'<div class="parts" aria-hidden="true">{widths}</div>' if widths else ""
    kinds = ", ".join(f"{kind} {rate / every:.0%}" for kind, rate in rates.items() if every and rate / every >= 0.01)
    total = f"{short(sum(found.tokens.values()))} {began}"
    return _tile("tokens", "Tokens", _rate(every if rates else None), f"{kinds or 'none now'}; {total}", more=bar)


def _cache(found: Figures, pace: Pace | None) -> str:
    if found.hit_ratio is None and found.cache_size is None:
        return _tile("cache", "Prompt cache", NOTHING, "nobody records a prompt cache")
    now = None if pace is None else pace.hit_ratio
    entries = f"; {whole(found.cache_size)} entries" if found.cache_size is not None else ""
    return _tile(
        "cache", "Questions from the cache", share(now), f"{share(found.hit_ratio)} over its life{entries}"
    )  # fmt: skip


def _replicas(found: Figures) -> str:
    alive = sum(replica.alive for replica in found.replicas)
    sign = "nobody hands over counts" if found.oldest_write is None else (
        f"each heard from within {seconds_text(found.oldest_write)}"
    )  # fmt: skip
    return _tile("replicas", "Replicas alive", whole(alive), sign, "" if alive else "bad")


def _rate(rate: float | None) -> str:
    return NOTHING if rate is None else f"{short(rate)}<small>/s</small>"


def _over(pace: Pace | None, words: str) -> str:
    if pace is None:
        return ""
    about = abs(pace.seconds - RECENT) <= STEP  # it is longer if nothing was read for a while
    return f"{words} the last {'minute' if about else seconds_text(pace.seconds)}"


def tone(value: float | None, orange: float, red: float) -> str:
    """The class of a number's colour."""
    return "" if value is None or value < orange else "warn" if value < red else "bad"
