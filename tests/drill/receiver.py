"""A webhook receiver: a small HTTP server that remembers what Alertmanager tells it."""

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass(frozen=True)
class Told:
    """One alert of one message; `at` is a reading of `time.monotonic()`."""

    at: float
    alert: str
    status: str
    labels: dict[str, str]


class Receiver:
    """Listens on a free port of an address, the loopback's by default, while the block lasts."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self._told: list[Told] = []
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Remember the alerts of one message."""
                message = json.loads(self.rfile.read(int(self.headers["content-length"])))
                receiver._remember(message["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  http.server's own name
                """Say nothing."""

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/alerts"

    def told(self, since: float) -> list[Told]:
        """What it was told from then on."""
        with self._lock:
            return [one for one in self._told if one.at >= since]

    def _remember(self, alerts: list[dict[str, object]]) -> None:
        now = time.monotonic()
        with self._lock:
            for alert in alerts:
                labels = alert["labels"]
                assert isinstance(labels, dict)
                self._told.append(Told(now, labels["alertname"], str(alert["status"]), labels))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
