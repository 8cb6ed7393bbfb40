"""`instrument_fastapi`: HTTP metrics for a FastAPI or Starlette application, with one call."""

import logging
from collections.abc import Callable, Collection, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from fleetmeter.attribution.families import labels_from_environment
from fleetmeter.instrumentation.http import DEFAULT_EXCLUDED, ASGIApp, HTTPMiddleware
from fleetmeter.instrumentation.http_exchange import Scope
from fleetmeter.instrumentation.http_metrics import HTTPMetrics
from fleetmeter.instrumentation.replica_metrics import replica_gauges
from fleetmeter.keywords import names_its_arguments
from fleetmeter.process.installation import aflush, current
from fleetmeter.process.patience import EXIT_TIMEOUT

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request

_STACK = "middleware_stack"
_INSTRUMENTED = "_fleetmeter_instrumented"
"""Attribute of an instrumented application: the arguments that it was instrumented with."""

_logger = logging.getLogger("fleetmeter")


@names_its_arguments
def instrument_fastapi(
    app: "Starlette",
    *,
    prefix: str = "",
    excluded: Collection[str] = DEFAULT_EXCLUDED,
    labels: "Callable[[Request], Mapping[str, object]] | None" = None,
) -> None:
    """Count every HTTP request of a FastAPI or Starlette application, and flush when its lifespan ends.

    The middleware stands outside of everything, error handlers included, so it sees each response as the
    client does; middleware that is added later is inside it, and so is what others wrap the application in
    (OpenTelemetry, logfire), whoever comes first. A second call with the same arguments changes nothing.

    Args:
        app: an application that has not been started.
        prefix: stands before the `http_*` family names, for services where another library owns them.
        excluded: route templates that are not counted.
        labels: a function of the request that returns values of the labels of your own by name
            (`fleetmeter.llm.configure(labels=…)`), as `lambda request: {"team": request.headers.get("x-team")}`. They
            are in force while the request is answered, as those of `fleetmeter.llm.attributes` are, and the `http_*`
            families have them. The function is asked again at the end: what a dependency has put into `request.state`
            counts for the request itself.

    Raises:
        SettingError: `FLEETMETER_LABELS` cannot be used.
        TypeError: `app` is not a Starlette or FastAPI application.
        RuntimeError: the application has started, or was instrumented with other arguments.
    """
    if not hasattr(app, "build_middleware_stack") or not hasattr(app, _STACK):
        raise TypeError(
            f"instrument_fastapi() got a {type(app).__name__}, expected a FastAPI or Starlette application; "
            "wrap any other ASGI application in fleetmeter.instrumentation.HTTPMiddleware"
        )
    if isinstance(excluded, str):
        raise TypeError(f"excluded is the text {excluded!r}, expected a list of route templates: [{excluded!r}]")
    settings = (prefix, frozenset(excluded), labels)
    before = getattr(app, _INSTRUMENTED, settings)
    if before != settings:
        raise RuntimeError(
            f"this application is instrumented with prefix {before[0]!r}, excluded "
            f"{sorted(before[1])} and labels {before[2]}; call instrument_fastapi() once, or with the same arguments"
        )
    if hasattr(app, _INSTRUMENTED):
        return
    if app.middleware_stack is not None:
        raise RuntimeError(
            "this application has already started; call instrument_fastapi(app) right after the app is made"
        )
    if labels is not None:
        labels_from_environment()
    gauges = replica_gauges()
    counted = partial(
        HTTPMiddleware,
        metrics=HTTPMetrics(prefix, labelled=labels is not None),
        excluded=excluded,
        labels=None if labels is None else _of_request(labels),
        on_start=_say_if_not_installed,
        on_shutdown=_flush,
        requests_gauge=gauges.requests,
        errors_gauge=gauges.errors,
    )
    setattr(app, _INSTRUMENTED, settings)
    app.__class__ = _counting(type(app), counted)


def _of_request(labels: "Callable[[Request], Mapping[str, object]]") -> Callable[[Scope], Mapping[str, object]]:
    from starlette.requests import Request

    return lambda scope: labels(Request(scope))


def _counting(kind: type[Any], counted: Callable[[ASGIApp], ASGIApp]) -> type[Any]:
    """A subclass of an application's class in which whatever becomes the middleware stack is counted from outside.

    Starlette, and others who wrap the application, give it the stack that they have built. `add_middleware()` would
    put us inside ServerErrorMiddleware, where the answers to unhandled exceptions, with their real status and size, do
    not pass. A `build_middleware_stack` of ours would be taken for Starlette's by those who wrap that, too: they expect
    its ServerErrorMiddleware, take it apart, and leave out what they do not know.
    """

    def stack(app: Any) -> ASGIApp | None:
        found: ASGIApp | None = vars(app).get(_STACK)
        return found

    def become(app: Any, built: ASGIApp | None) -> None:
        vars(app)[_STACK] = built if built is None or isinstance(built, HTTPMiddleware) else counted(built)

    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind,), {**names, _STACK: property(stack, become)})


async def _flush() -> None:
    await aflush(EXIT_TIMEOUT)  # a store that is away must not hold the server for longer than an exit would


def _say_if_not_installed() -> None:
    if current() is None:
        _say_once()


@cache
def _say_once() -> None:
    _logger.warning(
        "this application is instrumented, and fleetmeter is not installed in its process: its HTTP metrics stay here; "
        "call fleetmeter.install() in each process that serves"
    )
