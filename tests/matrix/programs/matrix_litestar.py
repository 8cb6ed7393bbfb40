"""Litestar, counted by its own plugin for Prometheus."""

from litestar import Litestar, MediaType, get
from litestar.plugins.prometheus import PrometheusConfig, PrometheusController
from matrix_noted import ASGI


@get("/", media_type=MediaType.TEXT)
async def answer() -> str:
    """Answer."""
    return "ok"


application = ASGI(Litestar([answer, PrometheusController], middleware=[PrometheusConfig().middleware]))
