"""A WSGI application that counts its requests."""

import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from prometheus_client import Counter, Histogram

import fleetmeter

fleetmeter.install()
requests = Counter("requests", "Requests that were answered.")
seconds = Histogram("request_seconds", "The time they were asked to take.", unit="seconds", buckets=(0.1, 1))


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer after so many seconds."""
    wait = float(parse_qs(environ["QUERY_STRING"]).get("wait", ["0"])[0])
    if environ["PATH_INFO"] != "/work":
        start_response("404 Not Found", [])
        return []
    time.sleep(wait)
    requests.inc()
    seconds.observe(wait)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done\n"]
