"""Instrumentation of other people's code: HTTP applications first.

Importing this package imports neither FastAPI nor Starlette, and declares no metric.
"""

from fleetmeter.instrumentation.fastapi import instrument_fastapi
from fleetmeter.instrumentation.http import HTTPMiddleware
from fleetmeter.instrumentation.http_metrics import HTTPMetrics, default_registry

__all__ = ["HTTPMetrics", "HTTPMiddleware", "default_registry", "instrument_fastapi"]
