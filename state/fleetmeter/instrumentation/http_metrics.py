"""The `http_*` families: declared when `HTTPMetrics` is made, never at import."""

import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from fleetmeter.attribution.context import current_attributes
from fleetmeter.attribution.families import AttributedCounter, AttributedHistogram, counter, follow, histogram

if TYPE_CHECKING:
    from fleetmeter.attribution.labels import UserLabels

_LabelValues = tuple[str, str, int, tuple[str, ...]]
FamilyType = TypeVar("FamilyType", AttributedCounter, Gauge, AttributedHistogram)

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
"""Seconds. An LLM call may take minutes: 600 s is the openai SDK's own timeout."""

SIZE_BUCKETS = tuple(64 * 4**power for power in range(11))
"""Bytes: powers of 4 from 64 B to 64 MiB."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
"""The methods of RFC 9110 and RFC 5789; a client may send any other word, which must not become a label."""

OTHER_METHOD = "_OTHER"
"""The label of every method outside `METHODS`."""

MAX_CACHED_CHILDREN = 4096
"""Label sets whose children are kept at hand; further ones are counted too, but looked up each time."""


@cache
def default_registry() -> CollectorRegistry:
    """The registry of `http_*` families made without one: ours alone, so that no other library can clash."""
    return CollectorRegistry()


@dataclass(frozen=True, eq=False)
class HTTPFamilies:
    """One set of `http_*` families; there is one for each registry and prefix."""

    requests: AttributedCounter
    duration: AttributedHistogram
    request_size: AttributedHistogram
    response_size: AttributedHistogram
    in_progress: Gauge

    def follow_labels(self) -> None:
        """Have the labels of the user's own from now on, all but the gauge."""
        for family in (self.requests, self.duration, self.request_size, self.response_size):
            follow(family)


_declared: weakref.WeakKeyDictionary[CollectorRegistry, dict[str, HTTPFamilies]] = weakref.WeakKeyDictionary()
_declaring = threading.Lock()


def _declare(prefix: str, registry: CollectorRegistry) -> HTTPFamilies:
    done: list[Counter | Gauge | Histogram] = []

    def family(make: Callable[[str], FamilyType], name: str) -> FamilyType:
        made = make(f"{prefix}{name}")
        try:
            registry.register(made)
        except ValueError as error:
            for earlier in done:
                registry.unregister(earlier)
            raise ValueError(
                f"the registry already holds a family {prefix}{name} that is not fleetmeter's; "
                f'choose another prefix, such as HTTPMetrics(prefix="{prefix}gw_"), or leave registry out'
            ) from error
        done.append(made)
        return made

    def sized(text: str, unit: str, buckets: tuple[float, ...]) -> Callable[[str], AttributedHistogram]:
        labels = ("method", "endpoint")
        return lambda name: histogram(name, text, labels, unit=unit, buckets=buckets, registry=None, following=False)

    return HTTPFamilies(
        requests=family(
            lambda name: counter(
                name,
                "HTTP requests answered, by method, route template and status code.",
                ("method", "endpoint", "status"),
                registry=None,
                following=False,
            ),
            "http_requests",
        ),
        duration=family(
            sized(
                "Seconds from the arrival of an HTTP request to the last byte of its response.",
                "seconds",
                DURATION_BUCKETS,
            ),
            "http_request_duration_seconds",
        ),
        request_size=family(
            sized("Bytes of HTTP request bodies that the application read.", "bytes", SIZE_BUCKETS),
            "http_request_size_bytes",
        ),
        response_size=family(
            sized("Bytes of HTTP response bodies that were sent.", "bytes", SIZE_BUCKETS),
            "http_response_size_bytes",
        ),
        in_progress=family(
            lambda name: Gauge(
                name,
                "HTTP requests that are being answered now.",
                registry=None,
                multiprocess_mode="livesum",
            ),
            "http_requests_in_progress",
        ),
    )


class HTTPMetrics:
    """The `http_*` families of one registry, ready to record requests.

    Two objects with the same prefix and registry share their families, so several applications can live in
    one process. Children are kept at hand for speed: after `remove()` or `clear()` on a family make a new
    object, as for any child that is held.

    Args:
        prefix: stands before every family name, for services where another library owns
            `http_requests_total`.
        registry: where the families are registered; without it, `default_registry()`.
        labelled: whether they have the labels of the user's own, too, with the values of `attributes()`.

    Raises:
        ValueError: the registry holds a family of that name which is not ours; nothing is registered then.
    """

    def __init__(self, prefix: str = "", registry: CollectorRegistry | None = None, *, labelled: bool = False) -> None:
        registry = default_registry() if registry is None else registry
        with _declaring:
            by_prefix = _declared.setdefault(registry, {})
            if prefix not in by_prefix:
                by_prefix[prefix] = _declare(prefix, registry)
            self.families = by_prefix[prefix]
            if labelled:
                self.families.follow_labels()
        self.prefix = prefix
        self._children: dict[_LabelValues, tuple[Counter, Histogram, Histogram, Histogram]] = {}
        self._made_for: UserLabels | None = None

    def record(self, method: str, endpoint: str, status: int, seconds: float, received: int, sent: int) -> None:
        """Count one finished request; inside `atomic()`, all of it appears together.

        Args:
            method: as the client sent it; what is not in `METHODS` becomes `_OTHER`.
            endpoint: a route template, never a raw path.
            status: the numeric code.
            seconds: from the first to the last byte.
            received: bytes of the request's body.
            sent: bytes of the response's body.
        """
        labels = self.families.requests.further
        if labels is not self._made_for:  # other labels than those that the children at hand were made for
            self._children, self._made_for = {}, labels
        texts = () if labels is None else labels.texts(current_attributes())
        key = (method if method in METHODS else OTHER_METHOD, endpoint, status, texts)
        children = self._children.get(key)
        if children is None:
            children = self._make_children(*key)
        requests, duration, request_size, response_size = children
        requests.inc()
        duration.observe(seconds)
        request_size.observe(received)
        response_size.observe(sent)

    def _make_children(
        self, method: str, endpoint: str, status: int, texts: tuple[str, ...]
    ) -> tuple[Counter, Histogram, Histogram, Histogram]:
        families = self.families
        children = (
            families.requests.labels(method, endpoint, str(status)),
            families.duration.labels(method, endpoint),
            families.request_size.labels(method, endpoint),
            families.response_size.labels(method, endpoint),
        )
        if len(self._children) < MAX_CACHED_CHILDREN:
            self._children[method, endpoint, status, texts] = children
        return children
