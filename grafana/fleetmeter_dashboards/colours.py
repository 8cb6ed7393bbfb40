"""One colour for each known label value, on every panel: who has learned that a model is blue may rely on it.

Names that are not known here get Grafana's palette by name, which is stable too. Red and yellow are left to what is wrong.
"""

from collections.abc import Iterable, Mapping

from fleetmeter.llm import vocabulary
from fleetmeter_app.config import GatewayConfig
from fleetmeter_app.ledger import PRICES

GOOD, WARNING, BAD, NEUTRAL = "green", "orange", "red", "blue"

_PALETTE = (
    *("green", "blue", "purple", "orange", "#4DB6AC", "#F48FB1"),
    *("#A1887F", "#90CAF9", "#AED581", "#CE93D8", "#B0BEC5", "#80DEEA", "#FFCC80", "#C5E1A5", "#9FA8DA"),
)
_OTHER = "#8E8E8E"


def _assigned(values: Iterable[str]) -> Mapping[str, str]:
    known = dict.fromkeys(values)
    return {value: _PALETTE[place % len(_PALETTE)] for place, value in enumerate(known)} | {vocabulary.OTHER: _OTHER}


_GATEWAY = GatewayConfig.load()
_TIERS = tuple(_GATEWAY.tiers)

COLOURS: Mapping[str, Mapping[str, str]] = {
    "model": _assigned([*(tier.model for tier in _GATEWAY.tiers.values()), *PRICES]),
    "tier": _assigned(_TIERS),
    "intent": _assigned(_GATEWAY.intents),
    "type": _assigned(vocabulary.TOKEN_TYPES),
    "source": _assigned(vocabulary.SAVINGS_SOURCES),
    "reason": _assigned([*vocabulary.FALLBACK_REASONS, *vocabulary.EVICTION_REASONS]),
    "quantile": {"p50": NEUTRAL, "p95": WARNING, "p99": BAD},
    "status": {"200": GOOD, "400": "#90CAF9", "415": "#CE93D8", "422": "#9FA8DA", "500": BAD, "502": WARNING},
}
"""Label → value → colour. A tier has the colour of its model in the packaged configuration."""
