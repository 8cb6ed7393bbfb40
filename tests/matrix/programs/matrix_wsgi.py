"""The WSGI application."""

from collections.abc import Iterable
from typing import Any

from matrix_ledger import record


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Record and answer."""
    record()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
