"""A WSGI application: `gunicorn --workers 4 wsgi_app:app`, also with --preload or --worker-class gevent.

With --preload the arbiter imports the application and forks: it records nothing, so it is no replica, and each worker
is one. gevent replaces the standard library in the workers only, which is too late for what a preloaded application
has imported: gevent warns of that. Let the first line of gunicorn's configuration file call `monkey.patch_all()` then.
"""

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
    """Answer /work?wait=0.5 after so many seconds."""
    if environ["PATH_INFO"] != "/work":
        start_response("404 Not Found", [])
        return []
    wait = float(parse_qs(environ["QUERY_STRING"]).get("wait", ["0"])[0])
    time.sleep(wait)
    requests.inc()
    seconds.observe(wait)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done\n"]
