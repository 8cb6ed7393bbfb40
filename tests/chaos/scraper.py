"""Scrapes an exporter over HTTP five times a second, as a very eager Prometheus, and has each answer judged."""

import http.client
import threading
import time
from typing import Self

from chaos.judge import Judge, Scrape

INTERVAL = 0.2
"""Seconds between two scrapes."""

_PATIENCE = 15.0
"""Seconds after which an exporter that does not answer counts as one that shows nothing."""


class Scraper:
    """A thread that scrapes a port of this machine. Its judge's `latest` is for reading while it runs."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.judge = Judge()
        self.defect: Exception | None = None
        """What ended the thread before its time."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._ending.wait(INTERVAL):
                at = time.monotonic()
                text = self._get()
                if text is None:
                    self.judge.miss()
                else:
                    self.judge.take(Scrape.parse(text), at)
        except Exception as error:  # noqa: BLE001  whoever started the thread raises it again
            self.defect = error

    def _get(self) -> str | None:
        """The exposition; None where there is none, as from an exporter that just starts."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE)
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return text if answer.status == 200 else None
