"""One colour for each known label value, on every panel: who has learned that a model is blue may rely on it.

Names that are not known here get Grafana's palette by name, which is stable too. Red and yellow are left to what is
wrong.
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
