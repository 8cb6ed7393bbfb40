"""`instrument_fastapi`: HTTP metrics for a FastAPI or Starlette application, with one call."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from fleetmeter.instrumentation.http import DEFAULT_EXCLUDED, ASGIApp, HTTPMiddleware
from fleetmeter.instrumentation.http_metrics import HTTPMetrics
from fleetmeter.instrumentation.replica_metrics import replica_gauges
from fleetmeter.process.installation import aflush
from fleetmeter.process.runtime import EXIT_TIMEOUT

if TYPE_CHECKING:
    from starlette.applications import Starlette


class _InstrumentedStack:
    """Builds an application's middleware stack as before, with the counting middleware around all of it."""

    def __init__(self, build: Callable[[], ASGIApp], prefix: str, excluded: Collection[str]) -> None:
        self.settings = (prefix, frozenset(excluded))
        self._build = build
        self._metrics = HTTPMetrics(prefix)
        self._excluded = excluded
        self._gauges = replica_gauges()

    def __call__(self) -> ASGIApp:
        return HTTPMiddleware(
            self._build(),
            metrics=self._metrics,
            excluded=self._excluded,
            on_shutdown=_flush,
            requests_gauge=self._gauges.requests,
            errors_gauge=self._gauges.errors,
        )


def instrument_fastapi(app: "Starlette", *, prefix: str = "", excluded: Collection[str] = DEFAULT_EXCLUDED) -> None:
    """Count every HTTP request of a FastAPI or Starlette application, and flush when its lifespan ends.

    The middleware stands outside of everything, error handlers included, so it sees each response as the
    client does; middleware that is added later is inside it. A second call with the same arguments changes
    nothing.

    Args:
        app: an application that has not been started.
        prefix: stands before the `http_*` family names, for services where another library owns them.
        excluded: route templates that are not counted.

    Raises:
        TypeError: `app` is not a Starlette or FastAPI application.
        RuntimeError: the application has started, or was instrumented with other arguments.
    """
    build = getattr(app, "build_middleware_stack", None)
    if build is None:
        raise TypeError(
            f"instrument_fastapi() got a {type(app).__name__}, expected a FastAPI or Starlette application; "
            "wrap any other ASGI application in fleetmeter.instrumentation.HTTPMiddleware"
        )
    if isinstance(excluded, str):
        raise TypeError(f"excluded is the text {excluded!r}, expected a list of route templates: [{excluded!r}]")
    if isinstance(build, _InstrumentedStack):
        if build.settings != (prefix, frozenset(excluded)):
            raise RuntimeError(
                f"this application is instrumented with prefix {build.settings[0]!r} and excluded "
                f"{sorted(build.settings[1])}; call instrument_fastapi() once, or with the same arguments"
            )
        return
    if app.middleware_stack is not None:
        raise RuntimeError(
            "this application has already started; call instrument_fastapi(app) right after the app is made"
        )
    # add_middleware() would put it inside Starlette's ServerErrorMiddleware, where the answers to unhandled
    # exceptions, with their real status and size, do not pass.
    app.build_middleware_stack = _InstrumentedStack(build, prefix, excluded)  # type: ignore[method-assign]


async def _flush() -> None:
    await aflush(EXIT_TIMEOUT)  # a store that is away must not hold the server for longer than an exit would
