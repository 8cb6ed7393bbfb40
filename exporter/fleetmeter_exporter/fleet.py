"""One namespace as an exporter sees it: read at each scrape, compared with what was served, merged into families."""

import logging
import threading
import time
from dataclasses import dataclass, field

import fleetmeter
from fleetmeter.connection.provider import CredentialProvider
from fleetmeter.errors import FleetmeterError, StateError, StoreError
from fleetmeter.process.installation import current
from fleetmeter.reader.continuity import HOLD, Continuity, Shown
from fleetmeter.reader.families import Families, Family, Source
from fleetmeter.reader.gauge_read import registered
from fleetmeter.reader.life import Life
from fleetmeter.reader.reading import Reader
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.reader.statements import Statements
from fleetmeter.settings import Settings
from fleetmeter_exporter.held import HoldLog
from fleetmeter_exporter.logs import fields

log = logging.getLogger("fleetmeter.exporter")

OWN_FLUSH_TIMEOUT = 0.5
"""Seconds that a process which both records and collects waits for its own records to be in the store."""

UNREAD = (
    "unreachable",
    "timeout",
    "loading",
    "auth",
    "refused",
    "newer_format",
    "unreadable",
    "wrong_type",
    "bad_definition",
    "bad_value",
)
"""Why something that is stored was not read."""

UNSHOWN = ("unknown_type", "conflict")
"""Why something that was read is not shown: a type of a later version, or a name or type that cannot stand beside
another one's."""

REASONS = (*UNREAD, *UNSHOWN)
"""All values of the label `reason` of `fleetmeter_last_scrape_error`."""


@dataclass
class Scrape:
    """What one scrape found in one namespace.

    `shown` and `families` are None where nothing could be read. `errors` tells what is wrong, by what it concerns: a
    reason of `REASONS`, and the words for a person. `seconds` is how long reading took.
    """

    namespace: str
    shown: Shown | None = None
    families: Families | None = None
    errors: dict[str, tuple[str, str]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def up(self) -> bool:
        """Whether everything that is stored was read."""
        return not any(reason in UNREAD for reason, _ in self.errors.values())

    def family(self, source: Source) -> Family | None:
        """One family with its samples; None where it cannot be read, which is noted."""
        if self.families is None:
            return None
        try:
            return self.families.family(source)
        except StateError as error:
            self.note(source.newest.name, error.reason, str(error))
            return None

    def note(self, what: str, reason: str, problem: str) -> None:
        """Note that something is wrong with what is named."""
        self.errors.setdefault(what, (reason, problem))


class Fleet:
    """The memory of an exporter for one namespace. For any number of threads, of which one reads at a time."""

    def __init__(self, settings: Settings, hold: float = HOLD, *, created: bool = False) -> None:
        self.settings = settings
        self.namespace = settings.namespace
        self._continuity = Continuity(hold)
        self._reader = Reader(
            settings.url, settings.namespace, credentials=settings.credentials, returns=created, reads=registered()
        )
        self._stated: Statements | None = None
        self._reading = threading.Lock()
        self._telling = threading.Lock()  # of its own, as a read may take long
        self._told: dict[str, tuple[str, str]] = {}
        self._hold_log = HoldLog(self.namespace, hold)

    def close(self) -> None:
        """Close the connections."""
        self._reader.close()

    def scrape(self) -> Scrape:
        """What the namespace holds now, as it may be shown. Never raises for the store."""
        started = time.perf_counter()
        self._flush_own_records()
        scrape = Scrape(self.namespace)
        try:
            with self._reading:
                shown = self._continuity.show(self._reader.read(self._continuity.known))
        except FleetmeterError as error:
            scrape.note("", reason_of(error), str(error))
        else:
            scrape.shown, scrape.families = shown, Families(shown.snapshot, self._stated)
            self._stated = scrape.families.statements
            for problem in (*shown.snapshot.problems, *scrape.families.statements.problems):
                scrape.note(problem.key, problem.reason, str(problem))
            for name, kind in scrape.families.left_out.items():
                problem_text = (
                    f"family {name!r} is not served: its type {kind!r} is of a later version; update this one"
                )
                scrape.note(name, "unknown_type", problem_text)
            self._hold_log.tell(shown)
        scrape.seconds = time.perf_counter() - started
        return scrape

    def glance(self) -> Snapshot:
        """Epoch and rows as the store has them. Raises `FleetmeterError` where a scrape would show nothing."""
        with self._reading:
            return self._reader.glance()

    def life(self) -> Life | None:
        """Since when the store's data cannot have gone back. Raises `StoreUnreachable`."""
        with self._reading:
            return self._reader.life()

    def tell(self, scrape: Scrape) -> None:
        """Log what became wrong, and what no longer is, since the scrape before: a line each."""
        with self._telling:
            before = self._told
            self._told = dict(scrape.errors) if scrape.shown is not None else before | scrape.errors
            now = self._told
        for what, (reason, problem) in now.items():
            if what not in before or before[what][0] != reason:
                level, message = (
                    (logging.ERROR, "cannot be read") if reason in UNREAD else (logging.WARNING, "is not served")
                )
                log.log(level, message, extra=fields(namespace=self.namespace, reason=reason, problem=problem))
        for what in before.keys() - now.keys():
            log.info("is in order again", extra=fields(namespace=self.namespace, reason=before[what][0], part=what))

    def _flush_own_records(self) -> None:
        runtime = current()
        if runtime is not None and (runtime.settings.url, runtime.settings.namespace) == (
            self.settings.url,
            self.namespace,
        ):
            fleetmeter.flush(OWN_FLUSH_TIMEOUT)


def reason_of(error: FleetmeterError) -> str:
    """Which of `REASONS` an error that ended a read belongs to."""
    if isinstance(error, StateError):
        return error.reason if error.reason == "newer_format" else "unreadable"
    if isinstance(error, StoreError) and error.reason in UNREAD:
        return error.reason
    return "refused"


def fleet_settings(
    url: str | None = None, namespace: str | None = None, credential_provider: CredentialProvider | None = None
) -> Settings:
    """Which fleet is meant: by argument, else the one that this process records into, else by environment."""
    runtime = current()
    if runtime is not None:
        if url in (None, runtime.settings.url):
            credential_provider = credential_provider or runtime.settings.credentials.provider
        url, namespace = url or runtime.settings.url, namespace or runtime.settings.namespace
    return Settings.from_env(url=url, namespace=namespace, credential_provider=credential_provider)
