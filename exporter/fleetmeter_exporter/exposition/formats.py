"""The formats of an exposition, and the choice among them by a request's Accept header."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client.openmetrics.exposition import ALLOWUTF8, DOTS, UNDERSCORES, VALUES

_ESCAPINGS: Final = frozenset((ALLOWUTF8, DOTS, UNDERSCORES, VALUES))
_NEVER: Final = 0.0


@dataclass(frozen=True)
class Format:
    """A format: OpenMetrics or text, its version, and the scheme that escapes names which old parsers cannot read."""

    openmetrics: bool = False
    version: str = "0.0.4"
    escaping: str = UNDERSCORES

    @property
    def content_type(self) -> str:
        """The value of the Content-Type header."""
        kind = "application/openmetrics-text" if self.openmetrics else "text/plain"
        escaping = f"; escaping={self.escaping}" if self.version == "1.0.0" else ""
        return f"{kind}; version={self.version}; charset=utf-8{escaping}"


TEXT = Format()
"""The format for requests that ask for no other."""


def negotiated(accept: str) -> Format:
    """The format that an Accept header prefers (RFC 9110, 12.5.1): the highest weight wins, then the first place.

    Offered are OpenMetrics 1.0.0, text 1.0.0 and text 0.0.4, with the escaping schemes of prometheus_client. A header
    that asks for none of these gets text 0.0.4, as from every exporter.
    """
    wanted = [(weight, form) for weight, form in _wishes(accept) if weight > _NEVER]
    return max(wanted, key=lambda wish: wish[0])[1] if wanted else TEXT  # of equal weights the first


def _wishes(accept: str) -> Iterator[tuple[float, Format]]:
    for item in accept.split(","):
        kind, *rest = (part.strip() for part in item.split(";"))
        parameters = {
            name.strip().lower(): value.strip().strip('"') for name, _, value in (p.partition("=") for p in rest)
        }
        form = _offered(kind.lower(), parameters)
        if form is not None:
            yield _weight(parameters.get("q", "1")), form


def _offered(kind: str, parameters: dict[str, str]) -> Format | None:
    version = parameters.get("version", "")
    escaping = parameters.get("escaping", UNDERSCORES)
    escaping = escaping if escaping in _ESCAPINGS else UNDERSCORES
    match kind, version:
        case "application/openmetrics-text", ("" | "1.0.0"):
            return Format(True, "1.0.0", escaping)
        case "text/plain", "1.0.0":
            return Format(False, "1.0.0", escaping)
        case ("text/plain", "" | "0.0.4") | ("*/*" | "text/*", _):
            return TEXT
    return None


def _weight(text: str) -> float:
    try:
        return min(max(float(text), _NEVER), 1.0)
    except ValueError:
        return _NEVER  # a weight that is no number: what it means is not known
