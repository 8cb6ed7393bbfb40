"""Reads fleets and writes them out as text; every way of serving uses it."""

import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from fleetmeter.connection.provider import CredentialProvider
from fleetmeter.errors import SettingError
from fleetmeter.reader.continuity import HOLD
from fleetmeter_exporter.exposition.body import Body
from fleetmeter_exporter.exposition.exposition import Exposition
from fleetmeter_exporter.exposition.formats import TEXT, Format
from fleetmeter_exporter.fleet import Fleet, Scrape, fleet_settings

FORMATS = 3
"""Formats whose parts are kept between scrapes: Prometheus' one, a browser's one, and one more."""


class Scraper:
    """Reads one or more namespaces of a store and writes them out. Any number of threads may use it.

    `fleets` are the namespaces in their given order. `told` is called with the number of samples of each exposition,
    unless the scrape asked for some names only.
    """

    def __init__(
        self, fleets: Sequence[Fleet], *, created: bool = False, told: Callable[[int], None] | None = None
    ) -> None:
        self.fleets = fleets
        self._created = created
        self._told = told
        self._expositions: dict[Format, Exposition] = {}  # in the order of their last use
        self._lock = threading.Lock()
        # nobody closes a scraper: its connections are closed when it is garbage
        weakref.finalize(self, _close, fleets).atexit = False

    @classmethod
    def of(
        cls,
        url: str | None = None,
        namespaces: Iterable[str | None] = (),
        hold: float = HOLD,
        *,
        created: bool = False,
        told: Callable[[int], None] | None = None,
        credential_provider: CredentialProvider | None = None,
    ) -> "Scraper":
        """A scraper that opens nothing yet. Without namespaces it reads that of `fleet_settings`.

        Raises `SettingError`.
        """
        settings = [fleet_settings(url, namespace, credential_provider) for namespace in list(namespaces) or [None]]
        names = [found.namespace for found in settings]
        for name in names:
            if names.count(name) > 1:
                raise SettingError("namespace", f"{name!r} is named twice; name each once")
        return cls([Fleet(found, hold, created=created) for found in settings], created=created, told=told)

    def scrape(self) -> bytes:
        """The exposition in the plain text format."""
        started = time.perf_counter()
        if len(self.fleets) == 1:
            return self.text([self.fleets[0].scrape()], started)
        with ThreadPoolExecutor(len(self.fleets)) as threads:
            return self.text(list(threads.map(Fleet.scrape, self.fleets)), started)

    def text(
        self, scrapes: Sequence[Scrape], started: float, form: Format = TEXT, names: Collection[str] = ()
    ) -> bytes:
        """The same as `body`, as one text."""
        return self.body(scrapes, started, form, names).whole()

    def body(self, scrapes: Sequence[Scrape], started: float, form: Format = TEXT, names: Collection[str] = ()) -> Body:
        """The exposition of these scrapes, one of each fleet; see `Exposition.body`. Trouble is logged."""
        with self._lock:
            exposition = self._expositions.pop(form, None) or Exposition(form, created=self._created)
            self._expositions[form] = exposition
            if len(self._expositions) > FORMATS:
                del self._expositions[next(iter(self._expositions))]
            body = exposition.body(scrapes, started, names)
            if self._told is not None and not names:
                self._told(exposition.samples)
        for fleet, scrape in zip(self.fleets, scrapes, strict=True):
            fleet.tell(scrape)
        return body


def _close(fleets: Sequence[Fleet]) -> None:
    for fleet in fleets:
        fleet.close()
