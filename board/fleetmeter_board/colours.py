"""One colour for each known label value, on the board and on every panel of the dashboards.

Who has learned that a model is blue may rely on it. Names that are not known here get one of the palette by their name:
on the board of this palette, on the dashboards of Grafana's. Red and yellow are left to what is wrong.
"""

from collections.abc import Iterable, Mapping
from datetime import date

from fleetmeter.llm import vocabulary
from fleetmeter.pricing.shutdowns import SHUTDOWN_DATES
from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.upstream.ledger import PRICES

GOOD, WARNING, BAD, NEUTRAL = "green", "orange", "red", "blue"

_PALETTE = (
    *("green", "blue", "purple", "orange", "#4DB6AC", "#F48FB1", "#A1887F", "#90CAF9", "#CDDC39", "#CE93D8"),
    *("#B0BEC5", "#00ACC1", "#FFCC80", "#43A047", "#9FA8DA", "#D4A017", "#EC407A", "#80CBC4", "#7E57C2", "#D7CCC8"),
)
_OTHER = "#8E8E8E"
_LIST_DAY = date(2026, 11, 23)
"""Models whose end was nearer than this are of no use any more."""


def assigned(values: Iterable[str]) -> Mapping[str, str]:
    """A colour for each of at most twenty values, by their order."""
    known = dict.fromkeys(values)
    return dict(zip(known, _PALETTE, strict=False)) | {vocabulary.OTHER: _OTHER}


_GATEWAY = GatewayConfig.load()
_ENDING = [model for model, day in SHUTDOWN_DATES.items() if day > _LIST_DAY]

COLOURS: Mapping[str, Mapping[str, str]] = {
    "model": assigned([*(tier.model for tier in _GATEWAY.tiers.values()), *PRICES, *_ENDING]),
    "tier": assigned(_GATEWAY.tiers),
    "intent": assigned(_GATEWAY.intents),
    "type": assigned(vocabulary.TOKEN_TYPES),
    "error": assigned(vocabulary.OPENAI_ERROR_TYPES),
    "usage": assigned(vocabulary.ABORT_USAGES),
    "source": assigned([*vocabulary.SAVINGS_SOURCES, "extra"]),
    "reason": assigned([*vocabulary.FALLBACK_REASONS, *vocabulary.EVICTION_REASONS, *vocabulary.KEY_REJECTIONS]),
    "state": {"closed": GOOD, "half_open": WARNING, "open": BAD},
    "quantile": {"p50": NEUTRAL, "p95": WARNING, "p99": BAD},
    "status": {"200": GOOD, "400": "#90CAF9", "415": "#CE93D8", "422": "#9FA8DA", "500": BAD, "502": WARNING},
}
"""Label → value → colour. A tier has the colour of its model in the packaged configuration."""

_HEX = {"green": "#73BF69", "blue": "#5794F2", "orange": "#FF9830", "red": "#F2495C", "purple": "#B877D9"}
"""Grafana's colours by name."""
_COLOURFUL = tuple(paint for paint in _PALETTE if paint not in ("#B0BEC5", "#D7CCC8", "#A1887F"))
"""Those that are no greys, which look alike once they are dark enough for a light page."""
_LEAST = 3.0
"""Contrast of a line or a bar with its background, as WCAG 2.1 (1.4.11) asks for."""
_PAGE = {"light": "#FFFFFF", "dark": "#181B1F"}


_REMEMBERED = 200
"""Values of one label whose colours are remembered, so that memory has a bound."""
_given: dict[str, dict[str, str]] = {}


def colour(label: str, value: str) -> str:
    """The colour of a label's value, as a variable of the style sheet: it is darker on a light page.

    A value that is not known gets the first one, from the place that its name gives, that no value before it has got.
    """
    given = _given.setdefault(label, {})
    found = COLOURS.get(label, {}).get(value) or given.get(value)
    if found is None:
        start = _hash(value)
        order = [_COLOURFUL[(start + step) % len(_COLOURFUL)] for step in range(len(_COLOURFUL))]
        taken = set(given.values())
        found = next((paint for paint in order if paint not in taken), order[0])
    if len(given) < _REMEMBERED:
        given[value] = found
    return variable(found)


def variable(paint: str) -> str:
    """The style sheet's variable for a colour."""
    return f"var(--{_name(paint)})"


def style_sheet(theme: str) -> str:
    """The variables for a theme, `light` or `dark`: each colour as it is, or darker until it can be seen."""
    paints = dict.fromkeys([*_PALETTE, _OTHER, *_HEX, *(paint for of in COLOURS.values() for paint in of.values())])
    return "".join(f"--{_name(paint)}:{_visible(_HEX.get(paint, paint), _PAGE[theme])};" for paint in paints)


def contrast(one: str, other: str) -> float:
    """How two colours stand out from each other, by the formula of WCAG 2: from 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _visible(paint: str, page: str) -> str:
    step = 0.97 if _luminance(page) > 0.5 else 1.03
    while contrast(paint, page) < _LEAST:
        parts = (min(255, round(int(paint[place : place + 2], 16) * step)) for place in (1, 3, 5))
        paint = "#" + "".join(f"{part:02X}" for part in parts)
    return paint


def _name(paint: str) -> str:
    return f"c-{paint.removeprefix('#').lower()}"


def _luminance(paint: str) -> float:
    parts = (int(paint[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _hash(text: str) -> int:
    """A number that is the same in every process."""
    return sum((place + 1) * ord(character) for place, character in enumerate(text))
